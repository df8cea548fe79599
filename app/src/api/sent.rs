//! What the browser sends where a form without a script would be posted: the same fields, to the same functions.

use super::React;
use crate::{
    error::ApiError,
    json::Answer,
    model::{MessageId, NotificationLevel},
};
use leptos::server_fn::{Http, Protocol, ServerFn, codec::PostUrl};
use serde::{Deserialize, Serialize};

type Client = <React as ServerFn>::Client;
type Server = <React as ServerFn>::Server;

/// What a form has been filled in with; each function takes some of it. With a type for each of them, as they would have
/// of themselves, the compiler would make the sending anew every time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sent {
    /// The room's id or slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
    /// Its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The message that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// A reaction to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    /// There from now on, or not any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<bool>,
    /// How much of the room one wants to be told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<NotificationLevel>,
}

impl Sent {
    /// What the function at `path` answers.
    pub async fn to<T>(self, path: &'static str) -> Result<T, ApiError>
    where
        Http<PostUrl, Answer>: Protocol<Self, T, Client, Server, ApiError>,
    {
        <Http<PostUrl, Answer> as Protocol<_, _, Client, Server, _>>::run_client(path, self).await
    }
}
