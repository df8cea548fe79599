//! What the pages ask of the server. `server::service` implements it; server
//! functions find it in the context. It breaks the cycle between the two crates.

use crate::{
    error::ApiError,
    model::{
        DirectoryPage, DirectoryQuery, Invite, MessageId, MessagePage, Millis, NotificationLevel, PinList, Position,
        Posted, Role, Room, RoomChange, SessionId, Thread, Unread, User, Visibility, Written,
    },
};

mod people;

pub use crate::model::{HistoryQuery, Member, SearchPage, SearchQuery};
use async_trait::async_trait;
pub use people::People;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

/// Who asks. `Option<&Viewer>`: nobody is a visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// The account.
    pub user: User,
    /// The session that the request came in.
    pub session: SessionId,
}

/// A message to be posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMessage {
    /// The client's id for it; without one the server makes one, and a retry is a new message.
    #[serde(default)]
    pub id: Option<MessageId>,
    /// The text, not yet checked.
    pub body: String,
    /// The message it answers.
    #[serde(default)]
    pub reply_to: Option<MessageId>,
}

/// An account to be made.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Registration {
    /// Not yet checked.
    pub username: String,
    /// Not yet checked.
    pub password: String,
    /// The user name if not given.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The secret of the one-time link that makes the first administrator.
    #[serde(default)]
    pub admin_token: Option<String>,
}

/// A session that has begun.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Whose.
    pub user: User,
    /// Goes into `Authorization: Bearer`.
    pub access_token: String,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// Good for one renewal.
    pub refresh_token: String,
    /// The value of `Set-Cookie` for browsers.
    pub cookie: String,
}

/// A link into a room to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct InviteWanted {
    /// For how long it is good, in seconds: 60 to a year; a week if not given.
    #[serde(default)]
    pub expires_in: Option<u64>,
    /// How many may come in by it, 1 to 10,000; any number if not given.
    #[serde(default)]
    pub uses: Option<u32>,
}

/// A link into a room that was made just now.
#[derive(Clone, PartialEq, Eq)]
pub struct NewInviteLink {
    /// To take it back by.
    pub id: Uuid,
    /// The end of its address. Nobody can be told it again.
    pub secret: String,
    /// It is good until then.
    pub expires_at: Millis,
    /// So many may come in by it; `None`: any number.
    pub uses: Option<u32>,
}

/// What a link into a room says to whoever follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The room.
    pub room: Room,
    /// Who made the link.
    pub by: User,
    /// It is good until then.
    pub expires_at: Millis,
}

/// What browsers see this installation as, like `https://chat.example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(pub String);

/// The chat, as one viewer at a time may use it. Every method authorises.
///
/// `room` is an id or a slug. A room that the viewer may not know of is
/// [`ApiError::NotFound`], like one that is not there.
#[async_trait]
pub trait Backend: People {
    /// Makes an account and signs it in.
    async fn register(&self, new: Registration) -> Result<SignedIn, ApiError>;
    /// Signs in by password.
    async fn sign_in(&self, username: &str, password: &str) -> Result<SignedIn, ApiError>;
    /// Makes a guest account and signs it in.
    async fn sign_in_as_guest(&self) -> Result<SignedIn, ApiError>;
    /// Ends the viewer's session.
    async fn sign_out(&self, who: &Viewer) -> Result<(), ApiError>;
    /// The `Set-Cookie` that takes the session's cookie away.
    fn sign_out_cookie(&self) -> String;

    /// The rooms that the viewer may know of, own ones first: those in use, or the archived ones.
    async fn rooms(&self, who: Option<&Viewer>, archived: bool) -> Result<Vec<Room>, ApiError>;
    /// The same, to be looked through page by page, without direct conversations.
    async fn directory(&self, who: Option<&Viewer>, query: &DirectoryQuery) -> Result<DirectoryPage, ApiError>;
    /// One room.
    async fn room(&self, who: Option<&Viewer>, room: &str) -> Result<Room, ApiError>;
    /// Who is in it.
    async fn members(&self, who: Option<&Viewer>, room: &str) -> Result<Vec<Member>, ApiError>;
    /// Makes a room; the viewer owns it.
    async fn create_room(&self, who: &Viewer, name: &str, visibility: Visibility) -> Result<(Room, Written), ApiError>;
    /// Makes something different about a room. Name and topic are for owners and moderators, the rest for owners.
    async fn change_room(&self, who: &Viewer, room: &str, change: RoomChange) -> Result<Written, ApiError>;
    /// Says what somebody is in a room; who is not in it yet is let in. Owners do.
    async fn set_role(&self, who: &Viewer, room: &str, username: &str, role: Role) -> Result<Written, ApiError>;
    /// Makes a link that lets people into a room. Owners and moderators do, here and below.
    async fn create_invite(&self, who: &Viewer, room: &str, wanted: InviteWanted) -> Result<NewInviteLink, ApiError>;
    /// The room's links that are good.
    async fn invites(&self, who: &Viewer, room: &str) -> Result<Vec<Invite>, ApiError>;
    /// Takes one back.
    async fn revoke_invite(&self, who: &Viewer, room: &str, id: Uuid) -> Result<(), ApiError>;
    /// Where the link with this secret leads.
    async fn invitation(&self, who: Option<&Viewer>, secret: &str) -> Result<Invitation, ApiError>;
    /// Comes in by it: the room's slug.
    async fn accept_invite(&self, who: &Viewer, secret: &str) -> Result<(String, Written), ApiError>;
    /// The direct conversation of the viewer with these people; whether it was made just now.
    async fn direct(&self, who: &Viewer, people: &[String]) -> Result<(Room, Written, bool), ApiError>;
    /// Becomes a member.
    async fn join(&self, who: &Viewer, room: &str) -> Result<Written, ApiError>;
    /// Is a member no longer.
    async fn leave(&self, who: &Viewer, room: &str) -> Result<Written, ApiError>;
    /// Makes somebody else a member. Into a public room any member does, into others those who run them.
    async fn add_member(&self, who: &Viewer, room: &str, username: &str) -> Result<Written, ApiError>;
    /// Takes somebody else out: they come back only if they are let in.
    async fn remove_member(&self, who: &Viewer, room: &str, username: &str) -> Result<Written, ApiError>;

    /// A stretch of the history.
    async fn history(&self, who: Option<&Viewer>, room: &str, query: &HistoryQuery) -> Result<MessagePage, ApiError>;
    /// A message and a stretch of those that answer it: [`HistoryQuery::around`] is for histories alone.
    async fn thread(
        &self,
        who: Option<&Viewer>,
        room: &str,
        id: MessageId,
        query: &HistoryQuery,
    ) -> Result<Thread, ApiError>;
    /// Messages in rooms that the viewer may read.
    async fn search(&self, who: Option<&Viewer>, query: &SearchQuery) -> Result<SearchPage, ApiError>;
    /// Posts: returns when the log has it.
    async fn post(&self, who: &Viewer, room: &str, message: NewMessage) -> Result<Posted, ApiError>;
    /// Replaces the text of one's own message.
    async fn edit(&self, who: &Viewer, room: &str, id: MessageId, body: &str) -> Result<Written, ApiError>;
    /// Deletes one's own message; who runs the room, and administrators, delete anyone's.
    async fn delete(&self, who: &Viewer, room: &str, id: MessageId) -> Result<Written, ApiError>;
    /// Puts (`on`) or takes back an emoji under a message.
    async fn react(&self, who: &Viewer, room: &str, id: MessageId, emoji: &str, on: bool) -> Result<Written, ApiError>;
    /// Keeps a message in view (`on`), or does no longer: who runs the room, administrators, both in a direct conversation.
    async fn pin(&self, who: &Viewer, room: &str, id: MessageId, on: bool) -> Result<Written, ApiError>;
    /// What the room keeps in view.
    async fn pins(&self, who: Option<&Viewer>, room: &str) -> Result<PinList, ApiError>;
    /// Has read up to here; moves forward only.
    async fn mark_read(&self, who: &Viewer, room: &str, at: Position) -> Result<(), ApiError>;
    /// Has read everything in all rooms that they are in.
    async fn mark_all_read(&self, who: &Viewer) -> Result<(), ApiError>;
    /// Chooses how much of a room they want to be told of; members only.
    async fn set_level(&self, who: &Viewer, room: &str, level: NotificationLevel) -> Result<(), ApiError>;
    /// Up to where the viewer has read; where they joined, if they never said; `None`: they are no member.
    async fn read_marker(&self, who: &Viewer, room: &str) -> Result<Option<Position>, ApiError>;
    /// What the viewer has not read, of each room that they are in.
    async fn unread(&self, who: &Viewer) -> Result<Vec<Unread>, ApiError>;
    /// Tells the room that the viewer types.
    async fn typing(&self, who: &Viewer, room: &str) -> Result<(), ApiError>;
}

/// How the backend stands in the context of a request.
pub type SharedBackend = Arc<dyn Backend>;
