//! Every reader of what comes from outside, as a function of any bytes.
//!
//! `fuzz/` hands them to libFuzzer, and the tests to a plain generator
//! (`server/tests/it/fuzz.rs`), so that a machine with nothing but cargo tries
//! them too. Each asserts what its reader promises; that none panics is the least.

use crate::{
    auth::{Kind, token::Keys},
    config::{Config, DatabaseConfig, Mode, RedisConfig, Secret, Settings},
    fanout::Notice,
    log::{Record, event_json, event_json_any},
    search::{Query, excerpt::excerpt, terms},
    store::{FoundAt, RoomKey},
    time::now,
};
use app::model::{Event, Position, RoomName};
use clap::Parser;
use serde_json::Value;

/// A reader and its name, which is that of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("addresses", app::fuzz::addresses),
    ("bodies", crate::http::fuzz::bodies),
    ("client_frame", app::fuzz::client_frame),
    ("configuration", configuration),
    ("headers", crate::http::fuzz::headers),
    ("kept_unsent", app::fuzz::kept_unsent),
    ("names", names),
    ("notice", notice),
    ("page_texts", app::fuzz::page_texts),
    ("pictures", crate::pictures::fuzz),
    ("positions", app::fuzz::positions),
    ("queries", crate::http::fuzz::queries),
    ("record", record),
    ("redis_answers", crate::fanout::redis::fuzz),
    ("search", search),
    ("server_frame", app::fuzz::server_frame),
    ("token", token),
    ("websocket", crate::websocket::fuzz::fuzz),
    ("write_ahead_log", crate::wal::fuzz),
];

/// Tries one reader.
///
/// # Panics
/// If it breaks its promise, or there is none of this name.
pub fn run(name: &str, data: &[u8]) {
    let (_, reader) = TARGETS.iter().find(|target| target.0 == name).expect("a reader of this name");
    reader(data);
}

/// A record of the log.
pub fn record(data: &[u8]) {
    let at = Position::new(3, 7);
    // A post is read in a shorter way, which nobody can tell by what comes of it.
    assert_eq!(Record::decode(data).ok(), Record::decode_any(data).ok());
    assert_eq!(event_json(data, at).ok(), event_json_any(data, at).ok());
    let Ok(record) = Record::decode(data) else { return };
    assert_eq!(Record::decode(&record.encode()).ok().as_ref(), Some(&record));
    let written: Value = serde_json::from_slice(data).expect("it was read before");
    let carried = serde_json::to_value(&record.event).expect("an event is plain data");
    assert!(has_all(&carried, &written["event"]), "{carried} of {}", written["event"]);
    let placed = record.event_at(at);
    if let Event::Known(app::model::KnownEvent::MessagePosted { message }, _) = &placed {
        assert_eq!(message.at, at);
        let blank = serde_json::to_value(placed.without_text()).expect("an event is plain data");
        assert_eq!(blank["message"]["body"], "");
    }
}

/// Every field of the one is in the other, at any depth of objects. Values may be written in another way.
fn has_all(carried: &Value, written: &Value) -> bool {
    match (carried, written) {
        (Value::Object(carried), Value::Object(written)) => {
            written.iter().all(|(name, value)| carried.get(name).is_some_and(|found| has_all(found, value)))
        }
        (_, Value::Object(_)) => false,
        _ => true,
    }
}

/// Names, and a slug on its way through an address.
pub fn names(data: &[u8]) {
    app::fuzz::names(data);
    let text = String::from_utf8_lossy(data);
    let _ = RoomKey::parse(&text);
    if let Ok(name) = RoomName::parse(&text) {
        assert_eq!(RoomKey::parse(name.slug()), RoomKey::Slug(name.slug().to_owned()));
    }
}

/// What is searched for, in itself as a text; and where a search goes on.
pub fn search(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let terms = terms::terms(&text);
    assert!(terms.len() <= terms::MAX_TERMS);
    for term in &terms {
        assert!(text.get(term.at.clone()).is_some() && !term.text.is_empty());
        assert!(!term.text.contains(|c: char| c.is_ascii() && !c.is_ascii_lowercase() && !c.is_ascii_digit()));
    }
    if let Ok(query) = Query::parse(&text) {
        let found = excerpt(&text, &query.phrases);
        assert!(found.iter().all(|piece| !piece.text.is_empty()));
        let first = query.phrases.first().map(|phrase| phrase.terms[0].as_str());
        assert!(first.is_none_or(|first| terms.iter().any(|term| term.text.starts_with(first))), "it finds itself");
    }
    if let Ok(place) = text.parse::<FoundAt>() {
        assert_eq!(place.to_string().parse(), Ok(place));
    }
}

/// A notice from another node.
pub fn notice(data: &[u8]) {
    if let Ok(notice) = serde_json::from_slice::<Notice>(data) {
        let again = serde_json::to_vec(&notice).expect("a notice is plain data");
        assert_eq!(serde_json::from_slice::<Notice>(&again).ok(), Some(notice));
    }
}

/// A token: none but our own is taken.
pub fn token(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let keys = Keys::new(&"k".repeat(32).into(), Some(&"p".repeat(32).into()));
    assert!(keys.verify(Kind::Access, &text, now()).is_none() && keys.verify(Kind::Cookie, &text, now()).is_none());
    // And of our own, nothing but the whole.
    let good =
        keys.sign(Kind::Access, app::model::UserId::default(), app::model::SessionId::default(), now(), now() + 60_000);
    let mut changed = good.clone().into_bytes();
    for (n, byte) in data.iter().enumerate() {
        let at = (n * 31 + usize::from(*byte)) % changed.len();
        changed[at] = *byte;
    }
    let changed = String::from_utf8_lossy(&changed);
    // The last letter of a signature has bits that say nothing.
    let most = good.len() - 1;
    if changed.as_bytes().get(..most) != Some(&good.as_bytes()[..most]) {
        assert!(keys.verify(Kind::Access, &changed, now()).is_none(), "{changed}");
    }
}

const PASSWORD: &str = "hunter2hunter2";

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    settings: Settings,
}

/// Settings: lines `name=value`, and values as PEM and as addresses. No refusal shows a password.
pub fn configuration(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut arguments = vec!["partyline".to_owned()];
    for line in text.lines().take(24) {
        arguments.push(format!("--{line}"));
    }
    if let Ok(program) = Program::try_parse_from(arguments)
        && let Ok(Config { public_urls, mode, .. }) = program.settings.check()
    {
        assert!(public_urls.iter().all(|url| url.starts_with("http://") || url.starts_with("https://")));
        if let Mode::Cluster { redis, database, .. } = mode {
            let _ = crate::fanout::redis::usable(&redis);
            let _ = crate::store::postgres::usable(&database);
        }
    }
    let secret = |text: String| -> Secret { text.into() };
    let pem = Some(secret(text.clone().into_owned()));
    let identity = Some((secret(text.clone().into_owned()), secret(text.clone().into_owned())));
    let addresses = [format!("redis://ada:{PASSWORD}@{text}"), format!("rediss://ada:{PASSWORD}@localhost/{text}")];
    for url in addresses {
        for ca in [None, pem.clone()] {
            let config = RedisConfig { url: url.clone().into(), namespace: "x".into(), ca };
            if let Err(refusal) = crate::fanout::redis::usable(&config) {
                assert!(!refusal.to_string().contains(PASSWORD), "{refusal}");
            }
        }
    }
    for url in [format!("postgres://ada:{PASSWORD}@{text}"), format!("postgres://ada:{PASSWORD}@localhost/x?{text}")] {
        for (ca, identity) in [(None, None), (pem.clone(), identity.clone())] {
            let config = DatabaseConfig { url: url.clone().into(), ca, identity };
            if let Err(refusal) = crate::store::postgres::usable(&config) {
                assert!(!refusal.to_string().contains(PASSWORD), "{refusal}");
            }
        }
    }
}
