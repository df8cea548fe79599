//! Rooms that people run, and the list of all. Plain forms and what the pages with them show; no script calls these.

#[cfg(feature = "ssr")]
use super::on_server::*;
#[cfg(feature = "ssr")]
use crate::{
    backend::{InviteWanted, PublicUrl},
    model::RoomChange,
    url,
};
use crate::{
    error::ApiError,
    model::{DirectoryPage, DirectoryQuery, Invite, Member, Millis, Role, Room, User, Visibility},
};
use leptos::{prelude::*, server_fn::codec::Json};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a room's settings page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsData {
    /// The room.
    pub room: Room,
    /// Who is in it; nobody for those who must join first.
    pub members: Vec<Member>,
    /// Its links, for those who run it.
    pub invites: Vec<Invite>,
    /// The address of the link that was made just now: told once.
    pub new_link: Option<String>,
}

/// What the page of a link into a room shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationData {
    /// The room.
    pub room: Room,
    /// Who made the link.
    pub by: User,
    /// It is good until then.
    pub expires_at: Millis,
}

/// A page of the rooms that the viewer may know of.
#[server(prefix = "/api/fn", endpoint = "directory", input = Json)]
pub async fn directory(query: DirectoryQuery) -> Result<DirectoryPage, ApiError> {
    with_status(backend()?.directory(viewer().as_ref(), &query).await)
}

/// A room and who runs it.
#[server(prefix = "/api/fn", endpoint = "settings", input = Json)]
pub async fn settings(room: String) -> Result<SettingsData, ApiError> {
    let (backend, who) = (backend()?, viewer());
    let view = async {
        let seen = backend.room(who.as_ref(), &room).await?;
        let members = match backend.members(who.as_ref(), &room).await {
            Err(ApiError::Forbidden { .. }) => Vec::new(),
            members => members?,
        };
        let invites = match &who {
            Some(who) if who.user.admin || seen.role.is_some_and(Role::runs) => backend.invites(who, &room).await?,
            _ => Vec::new(),
        };
        let new_link = take_new_link(&seen.slug);
        Ok(SettingsData { room: seen, members, invites, new_link })
    };
    with_status(view.await)
}

/// Where the link with this secret leads.
#[server(prefix = "/api/fn", endpoint = "invitation", input = Json)]
pub async fn invitation(secret: String) -> Result<InvitationData, ApiError> {
    let found = backend()?.invitation(viewer().as_ref(), &secret).await;
    with_status(found.map(|found| InvitationData { room: found.room, by: found.by, expires_at: found.expires_at }))
}

/// Makes something different about a room.
#[server(prefix = "/api/fn", endpoint = "change-room")]
pub async fn change_room(
    room: String,
    name: String,
    topic: String,
    visibility: Option<Visibility>,
) -> Result<(), ApiError> {
    let change =
        RoomChange { name: Some(name.clone()), topic: Some(topic.clone()), visibility, ..RoomChange::default() };
    let backend = backend()?;
    let outcome = async { backend.change_room(&who()?, &room, change).await };
    answer(
        outcome.await,
        |_| with_field(&url::settings(&room), "done", "change"),
        |error| {
            let kept = |text: &str| text.chars().take(300).collect::<String>();
            let page = with_field(&failed(&room, "change", error), "name", &kept(&name));
            with_field(&page, "topic", &kept(&topic))
        },
    )
    .map(|_| ())
}

/// Says whether a room is only to be read from now on.
#[server(prefix = "/api/fn", endpoint = "archive-room")]
pub async fn archive_room(room: String, archived: bool) -> Result<(), ApiError> {
    let backend = backend()?;
    let change = RoomChange { archived: Some(archived), ..RoomChange::default() };
    let outcome = async { backend.change_room(&who()?, &room, change).await };
    settle(outcome.await.map(|_| ()), &room, "archive")
}

/// Says how many days a room keeps its messages; 0: for ever.
#[server(prefix = "/api/fn", endpoint = "keep-messages")]
pub async fn keep_messages(room: String, keep_days: u32) -> Result<(), ApiError> {
    let backend = backend()?;
    let change = RoomChange { keep_days: Some(keep_days), ..RoomChange::default() };
    let outcome = async { backend.change_room(&who()?, &room, change).await };
    settle(outcome.await.map(|_| ()), &room, "keep")
}

/// Says what somebody is in a room.
#[server(prefix = "/api/fn", endpoint = "set-role")]
pub async fn set_role(room: String, person: String, role: Role) -> Result<(), ApiError> {
    let backend = backend()?;
    let outcome = async { backend.set_role(&who()?, &room, &person, role).await };
    settle(outcome.await.map(|_| ()), &room, "role")
}

/// Lets somebody into a room.
#[server(prefix = "/api/fn", endpoint = "add-member")]
pub async fn add_member(room: String, person: String) -> Result<(), ApiError> {
    let backend = backend()?;
    let person = person.trim().trim_start_matches('@').to_owned();
    let outcome = async { backend.add_member(&who()?, &room, &person).await };
    settle(outcome.await.map(|_| ()), &room, "add")
}

/// Takes somebody out of a room.
#[server(prefix = "/api/fn", endpoint = "remove-member")]
pub async fn remove_member(room: String, person: String) -> Result<(), ApiError> {
    let backend = backend()?;
    let outcome = async { backend.remove_member(&who()?, &room, &person).await };
    settle(outcome.await.map(|_| ()), &room, "remove")
}

/// Makes a link that lets people into a room: good for so many days, and so many people, or any number.
#[server(prefix = "/api/fn", endpoint = "create-invite")]
pub async fn create_invite(room: String, days: u64, uses: Option<String>) -> Result<(), ApiError> {
    let backend = backend()?;
    let outcome = async {
        let uses = uses.filter(|uses| !uses.trim().is_empty()).map(|uses| uses.trim().parse());
        let uses = uses.transpose().map_err(|_| ApiError::invalid("that is no number of people"))?;
        let wanted = InviteWanted { expires_in: Some(days.saturating_mul(24 * 3600)), uses };
        backend.create_invite(&who()?, &room, wanted).await
    };
    settle(outcome.await.map(|made| keep_new_link(&room, &made.secret)), &room, "invite")
}

/// Takes a link back.
#[server(prefix = "/api/fn", endpoint = "revoke-invite")]
pub async fn revoke_invite(room: String, id: Uuid) -> Result<(), ApiError> {
    let backend = backend()?;
    let outcome = async { backend.revoke_invite(&who()?, &room, id).await };
    settle(outcome.await, &room, "revoke")
}

/// Comes into a room by a link.
#[server(prefix = "/api/fn", endpoint = "accept-invite")]
pub async fn accept_invite(secret: String) -> Result<(), ApiError> {
    let backend = backend()?;
    let outcome = async { backend.accept_invite(&who()?, &secret).await };
    answer(
        outcome.await,
        |(slug, written)| with_field(&url::room(slug), "at_least", &written.at.to_string()),
        |error| with_error(&url::invite(&secret), error),
    )
    .map(|_| ())
}

/// A plain form goes back to the settings, which say how it went; or away from them, if they are no longer the viewer's
/// to see.
#[cfg(feature = "ssr")]
fn settle(outcome: Result<(), ApiError>, room: &str, form: &str) -> Result<(), ApiError> {
    answer(outcome, |()| with_field(&url::settings(room), "done", form), |error| failed(room, form, error))
}

#[cfg(feature = "ssr")]
fn failed(room: &str, form: &str, error: &ApiError) -> String {
    with_field(&with_error(&url::settings(room), error), "form", form)
}

/// The cookie in which a new link's secret goes from the form's answer to the page after it: not by the address, which
/// is written down along the way. The page takes it away.
#[cfg(feature = "ssr")]
const NEW_LINK: &str = "partyline_new_link";

#[cfg(feature = "ssr")]
fn keep_new_link(room: &str, secret: &str) {
    let secure = if use_context::<PublicUrl>().is_some_and(|PublicUrl(url)| url.starts_with("https://")) {
        "; Secure"
    } else {
        ""
    };
    let value = format!("{}.{secret}", url::encode(room));
    set_cookie(&format!("{NEW_LINK}={value}; Path=/rooms; Max-Age=60; HttpOnly; SameSite=Strict{secure}"));
}

#[cfg(feature = "ssr")]
fn take_new_link(room: &str) -> Option<String> {
    let request = use_context::<http::request::Parts>()?;
    let lines = request.headers.get_all(http::header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.filter(|(name, _)| *name == NEW_LINK).map(|(_, value)| value).next()?;
    set_cookie(&format!("{NEW_LINK}=; Path=/rooms; Max-Age=0; HttpOnly; SameSite=Strict"));
    let (of, secret) = value.rsplit_once('.')?;
    let PublicUrl(site) = use_context()?;
    (of == url::encode(room)).then(|| format!("{site}{}", url::invite(secret)))
}
