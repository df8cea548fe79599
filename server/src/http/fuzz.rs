//! What requests bring, for [`crate::fuzz`].

use super::{Origins, identity, messages, people, rooms, sessions, socket};
use app::{
    backend::{HistoryQuery, NewMessage, Registration, SearchQuery},
    model::AccountChange,
};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use serde::de::DeserializeOwned;

/// Credentials in headers: the same bytes as each of them.
pub(crate) fn headers(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let names = [header::AUTHORIZATION, header::COOKIE, header::SEC_WEBSOCKET_PROTOCOL, header::ORIGIN];
    let headers: HeaderMap = names.map(|name| (name, value.clone())).into_iter().collect();
    if let Some(token) = identity::bearer(&headers) {
        assert!(!token.starts_with(' ') && !token.ends_with(' '));
    }
    for name in ["partyline", "__Host-partyline"] {
        if let Some(cookie) = identity::cookie(&headers, name) {
            assert!(!cookie.is_empty() && !cookie.contains(';'));
        }
    }
    if let Some(token) = socket::bearer_among(&headers) {
        assert!(!token.contains(','));
    }
    let origins = Origins::new(vec!["https://chat.example.org".into()]);
    if !identity::is_cross_site(&headers, &origins, true) {
        assert!(data.eq_ignore_ascii_case(b"https://chat.example.org"), "from elsewhere");
    }
}

/// Bodies of requests.
pub(crate) fn bodies(data: &[u8]) {
    fn read<T: DeserializeOwned>(data: &[u8]) -> Option<T> {
        serde_json::from_slice(data).ok()
    }
    let _ = read::<Registration>(data);
    let _ = read::<sessions::Credentials>(data);
    let _ = read::<sessions::Refresh>(data);
    let _ = read::<rooms::NewRoom>(data);
    let _ = read::<messages::NewBody>(data);
    let _ = read::<messages::ReadUpTo>(data);
    let _ = read::<people::Rename>(data);
    let _ = read::<people::NewPassword>(data);
    let _ = read::<AccountChange>(data);
    if let Some(new) = read::<NewMessage>(data) {
        let again = serde_json::to_vec(&new).expect("a message is plain data");
        assert_eq!(read::<NewMessage>(&again), Some(new));
    }
}

/// What stands behind the question mark of the API.
pub(crate) fn queries(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(uri) = format!("/api/v1/rooms/tea/messages?{text}").parse::<Uri>() else { return };
    let _ = axum::extract::Query::<HistoryQuery>::try_from_uri(&uri);
    let _ = axum::extract::Query::<SearchQuery>::try_from_uri(&uri);
}
