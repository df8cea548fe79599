//! What of this crate reads texts from outside, as functions of any bytes. Called by `fuzz/` and by the server's tests.
//!
//! Each asserts what its reader promises; that none panics is the least.

use crate::{
    json, markdown,
    model::{
        DisplayName, Emoji, HistoryQuery, MAX_BODY_BYTES, MAX_DISPLAY_NAME_CHARS, MAX_EMOJI_BYTES, MessageBody,
        MessageId, MessagePage, Position, RoomId, RoomName, Username, Visibility,
    },
    outbox::Unsent,
    protocol::{ClientFrame, ServerFrame},
    rcdata, state, url,
};

fn text(data: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// A frame of the WebSocket from a client.
pub fn client_frame(data: &[u8]) {
    if let Ok(frame) = serde_json::from_slice::<ClientFrame>(data) {
        let again = serde_json::to_string(&frame).expect("a frame is plain data");
        assert_eq!(serde_json::from_str::<ClientFrame>(&again).ok(), Some(frame));
    }
}

/// A frame from the server, as the browser takes it: read and folded into a room's state.
pub fn server_frame(data: &[u8]) {
    let Ok(frame) = serde_json::from_slice::<ServerFrame>(data) else { return };
    assert_eq!(json::read(&text(data)).as_ref(), Ok(&frame));
    let again = serde_json::to_string(&frame).expect("a frame is plain data");
    assert_eq!(serde_json::from_str::<ServerFrame>(&again).ok().as_ref(), Some(&frame), "{again}");
    if let ServerFrame::Event { room, at, prev, event } = frame {
        let page = MessagePage { messages: vec![], at: Position::new(1, 7), as_of: Position::START, more: false };
        let room = crate::model::Room {
            id: room,
            slug: "tea".into(),
            name: "Tea".into(),
            visibility: Visibility::Public,
            role: None,
            members: 0,
            topic: String::new(),
            archived: false,
            keep_days: 0,
        };
        let mut room = state::RoomState::new(room, vec![], &page, false, false);
        let before = room.at();
        match room.apply(at, prev, event) {
            state::Applied::Done => assert!(room.at() == at && at > before),
            state::Applied::Ignored | state::Applied::Hole => assert_eq!(room.at(), before),
        }
    }
}

/// Positions and ids.
pub fn positions(data: &[u8]) {
    let text = text(data);
    if let Ok(at) = text.parse::<Position>() {
        assert_eq!(at.to_string().parse(), Ok(at));
        assert!(text.bytes().all(|b| b.is_ascii_digit() || b == b'.'), "digits only");
    }
    if let Ok(id) = text.parse::<MessageId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    let _ = serde_json::from_str::<Position>(&text);
    let _ = serde_json::from_str::<HistoryQuery>(&text);
}

/// Names, texts and reactions that people choose.
pub fn names(data: &[u8]) {
    let text = text(data);
    if let Ok(name) = Username::parse(&text) {
        assert_eq!(Username::parse(name.as_str()).as_ref(), Ok(&name));
        assert!(name.as_str().bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase() && b != b'/'));
    }
    if let Ok(name) = DisplayName::parse(&text) {
        assert_eq!(DisplayName::parse(name.as_str()).as_ref(), Ok(&name));
        assert!(name.as_str().chars().count() <= MAX_DISPLAY_NAME_CHARS);
        assert!(!name.as_str().chars().any(char::is_control));
    }
    if let Ok(name) = RoomName::parse(&text) {
        let slug = name.slug();
        assert!(!slug.is_empty() && !slug.starts_with('-') && !slug.ends_with('-') && !slug.contains("--"));
        assert!(slug.chars().all(|c| c == '-' || c.is_alphanumeric()), "{slug}");
        assert_eq!(slug.to_lowercase(), slug, "a slug that is asked for is made lower case first");
        assert!(slug.parse::<RoomId>().is_err(), "a slug is never taken for an id");
        let address = url::room(slug);
        assert_eq!(url::safe_next(&address), address);
    }
    if let Ok(emoji) = Emoji::parse(&text) {
        assert!(emoji.as_str().len() <= MAX_EMOJI_BYTES && emoji.as_str() == text);
    }
    if let Ok(body) = MessageBody::parse(&text) {
        assert_eq!(MessageBody::parse(body.as_str()).as_ref(), Ok(&body));
        assert!(body.as_str().len() <= MAX_BODY_BYTES && !body.as_str().contains('\0'));
    }
}

/// Addresses: what stands behind the question mark, and where to go after signing in.
pub fn addresses(data: &[u8]) {
    let text = text(data);
    let _ = url::Query::parse(&text);
    let encoded = url::encode(&text);
    assert!(encoded.is_ascii());
    let query = url::Query::parse(&format!("?a={encoded}&b=1"));
    assert_eq!(query.text("a"), text);
    for next in [url::safe_next(&text).to_owned(), url::without_slash(&text).unwrap_or("/".into())] {
        assert!(next.starts_with('/') && !next.starts_with("//") && !next.contains('\\'), "{next}");
    }
}

/// Texts on their way into a page.
pub fn page_texts(data: &[u8]) {
    let text = text(data);
    markdown::examine(&text);
    assert!(!rcdata::rcdata(&text).contains('<') && !rcdata::textarea(&text).contains('<'));
}

/// What the browser kept of unsent messages over a reload.
pub fn kept_unsent(data: &[u8]) {
    if let Ok(unsent) = serde_json::from_slice::<Unsent>(data) {
        let again = serde_json::to_vec(&unsent).expect("plain data");
        assert_eq!(serde_json::from_slice::<Unsent>(&again).map(|u| u.id).ok(), Some(unsent.id));
    }
}
