//! What people change about a room: what it is called and about, who may see it, whether it is in use, who runs it.

use super::{Access, Service, direct::may_change, store_failed, tell, welcome};
use crate::{fanout::Notice, store::RoomRow};
use app::{
    backend::Viewer,
    error::ApiError,
    model::{KnownEvent, MAX_KEEP_DAYS, Role, RoomChange, RoomChanged, RoomName, Topic, User, Visibility, Written},
};
use uuid::Uuid;

impl Service {
    pub(super) async fn do_change_room(
        &self,
        who: &Viewer,
        room: &str,
        wanted: RoomChange,
    ) -> Result<Written, ApiError> {
        let Access { room, role } = self.run(who, room).await?;
        may_change(&room)?;
        let change = different(&room, wanted)?;
        let owned = change.visibility.is_some() || change.archived.is_some() || change.keep_days.is_some();
        if owned && role != Some(Role::Owner) && !who.user.admin {
            return Err(ApiError::forbidden(
                "only an owner says who may see this room, how long it keeps messages, and whether it is archived",
            ));
        }
        if room.id == welcome::ROOM && (change.visibility.is_some() || change.archived == Some(true)) {
            return Err(ApiError::conflict("#welcome is for everyone: it stays public and in use"));
        }
        if change.is_empty() {
            return self.nothing_to_do(&room).await;
        }
        self.limits.write(who.user.id)?;
        let (id, rooms, fanout, told) = (room.id, self.rooms.clone(), self.fanout.clone(), change.clone());
        let then = move |at| async move {
            rooms.learn(id, told.clone(), at);
            tell(&*fanout, Notice::RoomChanged { room: id, at, change: told }).await;
        };
        let event = KnownEvent::RoomChanged(RoomChanged { by: who.user.clone(), change });
        let at = self.append_and(&room, who.user.id, Uuid::now_v7(), event, then).await?;
        self.caught_up(&room, at).await;
        Ok(Written { at })
    }

    /// Who is not in the room yet is let in as that.
    pub(super) async fn do_set_role(
        &self,
        who: &Viewer,
        room: &str,
        username: &str,
        role: Role,
    ) -> Result<Written, ApiError> {
        let Access { room, .. } = self.owned(who, room).await?;
        may_change(&room)?;
        self.limits.write(who.user.id)?;
        let user = self.person(username).await?;
        if user.guest && role.runs() {
            return Err(ApiError::forbidden("guests do not run rooms: they have to register first"));
        }
        let before = self.roles.of(&room, user.id).await.map_err(store_failed)?;
        match before {
            Some(before) if before == role => return self.nothing_to_do(&room).await,
            Some(Role::Owner) => self.keep_an_owner(&who.user, &room).await?,
            Some(_) => {}
            None => in_use(&room)?,
        }
        self.change_member(&room, &who.user, user.id, Some(role), KnownEvent::MemberJoined { user, role }).await
    }

    /// An owner is about to be one no longer: somebody must own the room, as long as others are in it.
    ///
    /// # Errors
    /// [`ApiError::Conflict`] if nobody would. Two who leave at once are not seen; then an administrator helps.
    pub(super) async fn keep_an_owner(&self, by: &User, room: &RoomRow) -> Result<(), ApiError> {
        if by.admin
            || self.store.owners(room.id).await.map_err(store_failed)? > 1
            || self.store.member_count(room.id).await.map_err(store_failed)? <= 1
        {
            return Ok(());
        }
        Err(ApiError::conflict("a room with members needs an owner: make somebody else one first"))
    }
}

/// # Errors
/// [`ApiError::Conflict`] if the room is archived.
pub(super) fn in_use(room: &RoomRow) -> Result<(), ApiError> {
    if room.archived {
        return Err(ApiError::conflict("this room is archived: it can be read, and nothing happens in it any more"));
    }
    Ok(())
}

/// What is wanted, as far as it is not so already.
fn different(room: &RoomRow, wanted: RoomChange) -> Result<RoomChange, ApiError> {
    let name = wanted.name.map(|name| RoomName::parse(&name)).transpose()?.map(|name| name.name().to_owned());
    let topic = wanted.topic.map(|topic| Topic::parse(&topic)).transpose()?.map(Topic::into_string);
    if wanted.keep_days.is_some_and(|days| days > MAX_KEEP_DAYS) {
        return Err(ApiError::invalid("messages are kept for 1 to 3650 days, or with 0 for ever"));
    }
    Ok(RoomChange {
        name: name.filter(|name| *name != room.name),
        topic: topic.filter(|topic| *topic != room.topic),
        visibility: wanted.visibility.filter(|visibility: &Visibility| *visibility != room.visibility),
        archived: wanted.archived.filter(|archived| *archived != room.archived),
        keep_days: wanted.keep_days.filter(|days| *days != room.keep_days),
    })
}
