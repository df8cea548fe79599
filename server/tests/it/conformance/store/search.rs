use super::{
    chat::{Chat, PARTITION, account, message_id, placed, post, record, room},
    place::Place,
};
use app::model::{KnownEvent, MessageId, Position, Role, RoomId, User, UserId, Visibility};
use server::{
    log::Record,
    search::Query,
    store::{Found, FoundAt, Replay, RoomRow, Search, Store},
};

/// Looks for what somebody might write, as somebody.
fn search(query: &str, who: Option<UserId>) -> Search {
    let phrases = Query::parse(query).expect("a search").phrases;
    Search { who, phrases, limit: 50, ..Search::default() }
}

async fn found(store: &dyn Store, search: &Search) -> Vec<String> {
    let Found { hits, .. } = store.search(search).await.expect("found");
    hits.into_iter().map(|(_, message)| message.body).collect()
}

/// Where the next page begins, as a client gives it back.
fn after_last(page: &Found) -> Option<FoundAt> {
    let (room, last) = page.hits.last()?;
    let place = FoundAt { sent_at: last.sent_at, room: room.id, at: last.at };
    Some(place.to_string().parse().expect("it comes back"))
}

/// What a visitor finds.
async fn by(chat: &Chat, query: &str) -> Vec<String> {
    found(&*chat.store, &search(query, None)).await
}

fn said(record: Record, sent_at: i64) -> Record {
    let mut record = record;
    if let app::model::Event::Known(KnownEvent::MessagePosted { message }, _) = &mut record.event {
        message.sent_at = sent_at;
    }
    record
}

/// Folds these texts of Ada's, each a second after the one before; their ids.
async fn say(chat: &Chat, texts: &[&str]) -> Vec<MessageId> {
    let begin = 1_000 * chat.store.progress(PARTITION).await.expect("read") as i64;
    let records: Vec<Record> =
        (0..).zip(texts).map(|(n, text)| said(chat.post(&chat.ada, text), begin + 1_000 * n)).collect();
    let ids = records.iter().map(message_id).collect();
    chat.fold(records).await;
    ids
}

pub async fn a_message_is_found_by_its_words_in_any_case_and_the_newest_first(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    say(&chat, &["Green tea at five?", "Coffee, please", "No TEA today", "Teapots are green", "Zoë kommt aus Köln"])
        .await;
    for (query, expected) in [
        ("tea", &["Teapots are green", "No TEA today", "Green tea at five?"][..]),
        ("green tea", &["Teapots are green", "Green tea at five?"]),
        ("tea green", &["Green tea at five?"]),
        ("GREEN TEA five", &["Green tea at five?"]),
        ("\"green tea\"", &["Green tea at five?"]),
        ("\"tea green\"", &[]),
        ("\"tea\"", &["No TEA today", "Green tea at five?"]),
        ("coff", &["Coffee, please"]),
        ("coff please", &[]),
        ("koln zoe", &["Zoë kommt aus Köln"]),
        ("KÖLN", &["Zoë kommt aus Köln"]),
        ("nowhere", &[]),
        ("e", &[]),
    ] {
        assert_eq!(by(&chat, query).await, expected, "{query}");
    }
}

pub async fn scripts_without_spaces_are_found_by_any_stretch(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let texts =
        ["東京都に住んでいます", "京都へ行こう", "カラオケ行く？", "안녕하세요 여러분", "สวัสดีครับ", "我的iPhone手机"];
    say(&chat, &texts).await;
    for (query, expected) in [
        ("京都", &[texts[1], texts[0]][..]),
        ("東京", &[texts[0]]),
        ("京", &[texts[1], texts[0]]),
        ("住んで", &[texts[0]]),
        ("住ます", &[]),
        ("行", &[texts[2], texts[1]]),
        ("오케", &[]),
        ("オケ", &[texts[2]]),
        ("하세요", &[texts[3]]),
        ("여러", &[texts[3]]),
        ("สวัส", &[texts[4]]),
        ("iphone手机", &[texts[5]]),
        ("机", &[texts[5]]),
    ] {
        assert_eq!(by(&chat, query).await, expected, "{query}");
    }
}

pub async fn an_edited_message_is_found_by_its_new_text_and_a_deleted_one_not_at_all(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let ids = say(&chat, &["one tea", "two teas", "three"]).await;
    chat.fold(vec![chat.edit(&chat.ada, ids[0], "one coffee"), chat.edit(&chat.lin, ids[1], "in vain")]).await;
    assert_eq!(by(&chat, "tea").await, ["two teas"]);
    assert_eq!(by(&chat, "one").await, ["one coffee"]);
    assert_eq!(by(&chat, "coffee").await, ["one coffee"]);
    assert_eq!(by(&chat, "vain").await, Vec::<String>::new());
    // The same terms in another form, and back again.
    chat.fold(vec![chat.edit(&chat.ada, ids[0], "One, coffee!")]).await;
    assert_eq!(by(&chat, "coffee").await, ["One, coffee!"]);
    chat.fold(vec![chat.delete(&chat.ada, ids[0]), chat.delete(&chat.ada, ids[1])]).await;
    for query in ["coffee", "one", "tea"] {
        assert_eq!(by(&chat, query).await, Vec::<String>::new(), "{query}");
    }
    // One record after the other in one batch.
    let new = chat.post(&chat.ada, "first words");
    let id = message_id(&new);
    let gone = chat.post(&chat.ada, "first and gone");
    let delete = chat.delete(&chat.ada, message_id(&gone));
    chat.fold(vec![new, chat.edit(&chat.ada, id, "last words"), gone, delete]).await;
    assert_eq!(by(&chat, "first").await, Vec::<String>::new());
    assert_eq!(by(&chat, "words").await, ["last words"]);
    assert_eq!(chat.store.index(100).await.expect("indexed"), 0, "nothing is left for later");
}

async fn fold_in(store: &dyn Store, room: &RoomRow, records: Vec<Record>) {
    let from = store.progress(room.partition).await.expect("read");
    let next = from + records.len() as u64;
    store.fold(room.partition, from, next, &placed(from, records)).await.expect("folded");
}

fn joins(room: &RoomRow, user: &User) -> Record {
    record(room.id, user, KnownEvent::MemberJoined { user: user.clone(), role: Role::Member })
}

pub async fn nothing_is_found_in_rooms_that_may_not_be_read(place: &Place) {
    let store = place.open().await;
    let store = &*store;
    let (ada, lin) = (account(store, "ada", "Ada").await, account(store, "lin", "Lin").await);
    let open = room(store, "open", Visibility::Public, 0).await;
    let listed = room(store, "listed", Visibility::Members, 1).await;
    let secret = room(store, "secret", Visibility::Private, 1).await;
    for (n, room) in (0..).zip([&open, &listed, &secret]) {
        let text = format!("tea in {}", room.name);
        let posted = said(post(room.id, &ada, MessageId::new(), &text), 1_000 * (n + 1));
        fold_in(store, room, vec![joins(room, &ada), posted]).await;
    }
    let (all, public) = (["tea in secret", "tea in listed", "tea in open"], ["tea in open"]);
    assert_eq!(found(store, &search("tea", Some(ada.id))).await, all);
    assert_eq!(found(store, &search("tea", Some(lin.id))).await, public);
    assert_eq!(found(store, &search("tea", Some(UserId::new()))).await, public);
    assert_eq!(found(store, &search("tea", None)).await, public);
    for room in [&listed, &secret] {
        let within = |who| Search { room: Some(room.id), ..search("tea", who) };
        assert_eq!(found(store, &within(Some(ada.id))).await.len(), 1);
        assert_eq!(found(store, &within(Some(lin.id))).await, Vec::<String>::new());
        assert_eq!(found(store, &within(None)).await, Vec::<String>::new());
    }
    let of_ada = |who| Search { author: Some(ada.id), phrases: vec![], limit: 50, who, ..Search::default() };
    assert_eq!(found(store, &of_ada(Some(ada.id))).await, all);
    assert_eq!(found(store, &of_ada(None)).await, public);

    // Whom the store does not know to have left yet.
    let but_secret = Search { not_in: vec![secret.id, RoomId::new()], ..search("tea", Some(ada.id)) };
    assert_eq!(found(store, &but_secret).await, ["tea in listed", "tea in open"]);
    // Whoever joins finds what was said before, and whoever leaves finds nothing more.
    fold_in(store, &secret, vec![joins(&secret, &lin)]).await;
    assert_eq!(found(store, &search("tea", Some(lin.id))).await, ["tea in secret", "tea in open"]);
    let left = KnownEvent::MemberLeft { user: lin.clone(), by: ada.clone() };
    fold_in(store, &secret, vec![record(secret.id, &ada, left)]).await;
    assert_eq!(found(store, &search("tea", Some(lin.id))).await, public);
}

pub async fn who_may_read_very_many_rooms_finds_what_is_in_them(place: &Place) {
    let store = place.open().await;
    let store = &*store;
    let ada = account(store, "ada", "Ada").await;
    for n in 0..205 {
        room(store, &format!("room-{n}"), Visibility::Public, 0).await;
    }
    let last = room(store, "last", Visibility::Private, 0).await;
    fold_in(store, &last, vec![joins(&last, &ada), post(last.id, &ada, MessageId::new(), "tea")]).await;
    assert_eq!(found(store, &search("tea", Some(ada.id))).await, ["tea"]);
    assert_eq!(found(store, &search("tea", None)).await, Vec::<String>::new());
}

pub async fn what_is_found_is_paged_without_gap_or_double(place: &Place) {
    let store = place.open().await;
    let store = &*store;
    let ada = account(store, "ada", "Ada").await;
    let rooms = [room(store, "one", Visibility::Public, 0).await, room(store, "two", Visibility::Public, 0).await];
    // Three at a time were sent in the same millisecond.
    let records = (0..40)
        .map(|n| said(post(rooms[n % 2].id, &ada, MessageId::new(), &format!("tea {n}")), 1_000 * (n as i64 / 3)));
    fold_in(store, &rooms[0], records.collect()).await;
    for (query, room, expected) in [("tea", None, 40), ("tea", Some(rooms[0].id), 20), ("tea 1", None, 1)] {
        for limit in [1, 7, 20, 50] {
            let mut asked = Search { room, limit, ..search(query, None) };
            let mut seen = Vec::new();
            loop {
                let page = store.search(&asked).await.expect("found");
                assert!(page.hits.len() <= limit as usize);
                asked.after = after_last(&page);
                seen.extend(page.hits.into_iter().map(|(_, message)| (message.sent_at, message.id)));
                if !page.more {
                    break;
                }
            }
            assert!(seen.is_sorted_by(|a, b| a.0 >= b.0), "newest first");
            let count = seen.len();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!((count, seen.len()), (expected, expected), "{query}, {limit} at a time");
        }
    }
    let after_all = FoundAt { sent_at: i64::MIN, room: RoomId::new(), at: Position::START };
    assert_eq!(found(store, &Search { after: Some(after_all), ..search("tea", None) }).await, Vec::<String>::new());
}

pub async fn a_search_can_be_for_an_author_and_for_what_was_sent_before(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    const MINUTE: i64 = 60_000;
    let records = (0..6).map(|n| {
        let by = if n % 2 == 0 { &chat.ada } else { &chat.lin };
        said(chat.post(by, &format!("tea {n}")), 10 * n * MINUTE)
    });
    chat.fold(records.collect()).await;
    let of_lin = Search { author: Some(chat.lin.id), ..search("tea", None) };
    assert_eq!(found(&*chat.store, &of_lin).await, ["tea 5", "tea 3", "tea 1"]);
    let before = |search: Search| Search { sent_before: Some(30 * MINUTE), ..search };
    assert_eq!(found(&*chat.store, &before(search("tea", None))).await, ["tea 2", "tea 1", "tea 0"]);
    assert_eq!(found(&*chat.store, &before(of_lin.clone())).await, ["tea 1"]);
    let all_of_lin = Search { phrases: vec![], ..of_lin };
    assert_eq!(found(&*chat.store, &all_of_lin).await.len(), 3);
    let nobody = Search { author: Some(UserId::new()), ..search("tea", None) };
    assert_eq!(found(&*chat.store, &nobody).await, Vec::<String>::new());
}

pub async fn no_text_and_no_search_is_too_strange(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let texts = [
        "' \" \\ ') :* & | ! <-> OR NEAR(a, b) -- ; drop table messages".to_owned(),
        "🎉 👩‍👩‍👧 ❤️".to_owned(),
        "…!?".to_owned(),
        "word ".repeat(3_276),
        "字".repeat(5_461),
        "x".repeat(16_384),
        (0..3_500).map(|n| format!("{n:x} ")).collect(),
    ];
    say(&chat, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for (query, expected) in [
        ("near drop", &texts[0]),
        ("\"drop table\"", &texts[0]),
        ("🎉", &texts[1]),
        ("👩‍👩‍👧", &texts[1]),
        ("wor", &texts[3]),
        ("字字字", &texts[4]),
        (&"x".repeat(256), &texts[5]),
        ("2ff", &texts[6]),
    ] {
        assert_eq!(by(&chat, query).await.first(), Some(expected), "{query}");
    }
    for query in
        ["tea\" OR 1", "tea* OR x", "NEAR(near drop)", "a AND b", "'tea'' | ''", "terms:tea", "#00 @00", "^near"]
    {
        by(&chat, query).await;
    }
    assert_eq!(chat.store.index(100).await.expect("indexed"), 0, "a text without words is done too");
}

pub async fn what_the_version_before_has_written_is_indexed_later(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let ids = say(&chat, &["tea one", "tea two"]).await;
    // What 0.1.0 does when it folds: nothing that it writes names a term.
    place
        .execute(
            "insert into messages (room, id, epoch, offset_no, author, body, sent_at, deleted)
             select room, author, epoch, offset_no + 100, author, 'tea of the version before', sent_at, deleted
             from messages where body = 'tea two'",
        )
        .await;
    place
        .execute("update messages set body = 'coffee of the version before', edited_at = 9 where body = 'tea one'")
        .await;
    assert_eq!(by(&chat, "tea").await, ["tea two"], "a text that is gone is not found");
    assert_eq!(chat.store.index(1).await.expect("indexed"), 1);
    assert_eq!(chat.store.index(100).await.expect("indexed"), 1);
    assert_eq!(chat.store.index(100).await.expect("indexed"), 0);
    assert_eq!(by(&chat, "tea").await, ["tea of the version before", "tea two"]);
    assert_eq!(by(&chat, "coffee").await, ["coffee of the version before"]);
    // And this version goes on with it.
    chat.fold(vec![chat.edit(&chat.ada, ids[0], "water")]).await;
    place.execute("update messages set body = '', deleted = not deleted where body = 'tea two'").await;
    assert_eq!(chat.store.index(100).await.expect("indexed"), 0, "deleted is not to be indexed");
    assert_eq!(by(&chat, "version").await, ["tea of the version before"]);
    assert_eq!(by(&chat, "water").await, ["water"]);
}

/// As versions up to 0011 have it.
const OLDEST_FIRST: &str = "
    update messages set place = place & ~(1 << 62);
    delete from message_terms;
    insert into message_terms (rowid, terms)
    select place, '#' || substr(lower(hex(room)), -10) || ' @' || substr(lower(hex(author)), -10) || ' ' || body
    from messages where not deleted;";

pub async fn indexed_the_oldest_first(place: &Place) {
    let mut chat = Chat::new(place.open().await).await;
    let texts: Vec<String> = (0..120).map(|n| format!("tea {n}")).collect();
    let ids = say(&chat, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut all: Vec<&str> = texts.iter().map(String::as_str).collect();
    all.reverse();
    for when in ["from the version before", "after it once more"] {
        place.execute(OLDEST_FIRST).await;
        if when == "from the version before" {
            place.execute("drop index messages_to_index").await;
            place.execute("drop trigger messages_indexed_anew").await;
            place.execute("delete from _sqlx_migrations where version = 12").await;
            chat.store = place.open().await;
        }
        assert_eq!(pages(&chat, "tea").await, Vec::<String>::new(), "not yet, {when}");
        assert_eq!(chat.store.index(70).await.expect("indexed"), 70, "{when}");
        assert_eq!(pages(&chat, "tea").await, all[..70], "each once, the newest first, {when}");
        assert_eq!(chat.store.index(100).await.expect("indexed"), 50, "{when}");
        assert_eq!(pages(&chat, "tea").await, all, "{when}");
        assert_eq!(chat.store.index(100).await.expect("indexed"), 0, "{when}");
    }
    let Place::Sqlite(folder) = place else { panic!("only SQLite has rows of terms") };
    let rows: i64 = sqlx::query_scalar("select count(*) from message_terms")
        .fetch_one(&mut super::place::beside(folder).await)
        .await
        .expect("counted");
    assert_eq!(rows, 120, "none of the version before is left");
    // What is gone or another text by then is not found by what it was.
    place.execute(OLDEST_FIRST).await;
    chat.fold(vec![chat.edit(&chat.ada, ids[0], "water"), chat.delete(&chat.ada, ids[1])]).await;
    chat.store.index(200).await.expect("indexed");
    assert_eq!(pages(&chat, "tea").await, all[..118]);
    assert_eq!(by(&chat, "water").await, ["water"]);
}

/// What all pages have, one after the other.
async fn pages(chat: &Chat, query: &str) -> Vec<String> {
    let (mut texts, mut after) = (vec![], None);
    while texts.len() < 1_000 {
        let page = chat.store.search(&Search { after, ..search(query, None) }).await.expect("found");
        after = after_last(&page);
        texts.extend(page.hits.into_iter().map(|(_, message)| message.body));
        if !page.more {
            break;
        }
    }
    texts
}

pub async fn nodes_that_index_at_once_index_everything_once(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let texts: Vec<String> = (0..120).map(|n| format!("tea {n}")).collect();
    say(&chat, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    place.execute("update messages set body = body || ' again'").await;
    assert_eq!(by(&chat, "tea").await.len(), 0);
    let indexing = (0..4).map(|_| async {
        let mut sum = 0;
        for _ in 0..20 {
            sum += chat.store.index(10).await.expect("indexed");
        }
        sum
    });
    let indexed: u32 = futures::future::join_all(indexing).await.into_iter().sum();
    assert_eq!(indexed, 120);
    assert_eq!(by(&chat, "again").await.len(), 50);
}

pub async fn rebuilding_makes_the_index_too(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let ids = say(&chat, &["tea one", "tea two", "tea three"]).await;
    chat.fold(vec![chat.delete(&chat.ada, ids[1]), chat.edit(&chat.ada, ids[2], "tea four")]).await;
    let mend = async || {
        let (upkeep, mut replay) = (place.upkeep().await, Replay::new());
        while !replay.is_done() {
            upkeep.replay(&chat.room, &mut replay, true).await.expect("a step");
        }
    };
    let wrong = match place {
        Place::Sqlite(_) => "delete from message_terms",
        Place::Postgres(_) => "update messages set terms = '''wrong''' where not deleted",
    };
    for wrong in [wrong, "delete from messages", "update messages set body = 'forged' where not deleted"] {
        place.execute(wrong).await;
        assert_eq!(by(&chat, "tea").await, Vec::<String>::new(), "{wrong}");
        mend().await;
        assert_eq!(by(&chat, "tea").await, ["tea four", "tea one"], "after {wrong}");
        for gone in ["two", "three", "forged"] {
            assert_eq!(by(&chat, gone).await, Vec::<String>::new(), "{gone} after {wrong}");
        }
        assert_eq!(chat.store.index(100).await.expect("indexed"), 0);
    }
}
