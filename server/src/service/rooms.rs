//! Rooms and their members.

use super::{Access, Service, direct::may_change, roles::Standing, settings::in_use, store_failed, tell};
use crate::{
    fanout::Notice,
    store::{NewRoom, RoomKey, RoomRow},
    time::now,
};
use app::{
    backend::Viewer,
    error::{ApiError, Outcome},
    model::{
        DirectoryPage, DirectoryQuery, KnownEvent, MAX_SEARCH_CHARS, Position, Role, Room, RoomId, RoomName, User,
        UserId, Username, Visibility, Written,
    },
};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// When it is looked whether a change of members got into the log after all: for as long as a request to a log that was
/// silent may still be carried out. After that nodes find out when what they remember is no longer fresh.
const FIND_OUT_AFTER_S: [u64; 5] = [1, 2, 4, 8, 16];

impl Service {
    pub(super) async fn do_room(&self, who: Option<&Viewer>, room: &str) -> Result<Room, ApiError> {
        let Access { room, role } = self.visible(who, room).await?;
        let members = self.store.member_count(room.id).await.map_err(store_failed)?;
        Ok(room.seen_by(role, members))
    }

    pub(super) async fn do_directory(
        &self,
        who: Option<&Viewer>,
        query: &DirectoryQuery,
    ) -> Result<DirectoryPage, ApiError> {
        let texts = [Some(&query.q), query.after.as_ref()];
        if texts.into_iter().flatten().any(|text| text.contains('\0') || text.chars().count() > MAX_SEARCH_CHARS) {
            return Err(ApiError::invalid("what rooms are looked for by has 256 characters at most"));
        }
        self.limits.search(who.map(|who| who.user.id))?;
        self.store.directory(who.map(|who| who.user.id), query).await.map_err(store_failed)
    }

    pub(super) async fn do_create_room(
        &self,
        who: &Viewer,
        name: &str,
        visibility: Visibility,
    ) -> Result<(Room, Written), ApiError> {
        let name = RoomName::parse(name)?;
        if who.user.guest {
            return Err(ApiError::forbidden("guests cannot make rooms: please register"));
        }
        self.limits.room(who.user.id)?;
        // The row comes first, since records need it; the log is asked before, so that a room without its first record
        // is as rare as a crash between the two.
        self.log.check().await.map_err(|_| ApiError::unavailable(Outcome::NotPersisted))?;
        let id = RoomId::new();
        let row = self.add_room(id, name.slug().to_owned(), name.name().to_owned(), visibility).await?;
        let row = row.ok_or_else(|| ApiError::conflict("there is a room of that name already"))?;
        let created = KnownEvent::RoomCreated { by: who.user.clone() };
        let written = self.change_member(&row, &who.user, who.user.id, Some(Role::Owner), created).await?;
        Ok((row.seen_by(Some(Role::Owner), 1), written))
    }

    /// The room's row; `None`: the slug is taken.
    pub(super) async fn add_room(
        &self,
        id: RoomId,
        slug: String,
        name: String,
        visibility: Visibility,
    ) -> Result<Option<RoomRow>, ApiError> {
        // Any partition will do: it is kept with the room. The id's random end spreads them evenly.
        let partition = (id.0.as_u128() % u128::from(self.log.partitions())) as u32;
        let new = NewRoom { id, slug, name, visibility, partition, created_at: now() };
        let made = self.store.create_room(&new).await.map_err(store_failed)?;
        let NewRoom { id, slug, name, visibility, partition, .. } = new;
        let (topic, archived, keep_days, changed) = (String::new(), false, 0, Position::START);
        Ok(made.then_some(RoomRow { id, slug, name, visibility, partition, topic, archived, keep_days, changed }))
    }

    pub(super) async fn do_join(&self, who: &Viewer, room: &str) -> Result<Written, ApiError> {
        let Access { room, role } = self.visible(Some(who), room).await?;
        if role.is_some() {
            return self.nothing_to_do(&room).await;
        }
        in_use(&room)?;
        if who.user.guest && room.visibility != Visibility::Public {
            return Err(ApiError::forbidden("guests may join public rooms: please register"));
        }
        if self.roles.removal(&room, who.user.id).await.map_err(store_failed)?.is_some() {
            return Err(ApiError::forbidden("you were removed from this room: who runs it can let you in again"));
        }
        self.limits.write(who.user.id)?;
        self.let_in(&room, &who.user, who.user.clone()).await
    }

    /// Into a public room any member may bring others along, who could come by themselves; into another, and after
    /// somebody was removed, those let people in who run the room.
    pub(super) async fn do_add_member(&self, who: &Viewer, room: &str, username: &str) -> Result<Written, ApiError> {
        let (access, runs) = match self.run(who, room).await {
            Err(ApiError::Forbidden { .. }) => (self.writable(who, room).await?, false),
            other => (other?, true),
        };
        let Access { room, .. } = access;
        if !runs && room.visibility != Visibility::Public {
            return Err(ApiError::forbidden("only an owner or a moderator of this room may add people"));
        }
        may_change(&room)?;
        in_use(&room)?;
        self.limits.write(who.user.id)?;
        let user = self.person(username).await?;
        if self.roles.of(&room, user.id).await.map_err(store_failed)?.is_some() {
            return self.nothing_to_do(&room).await;
        }
        if !runs && self.roles.removal(&room, user.id).await.map_err(store_failed)?.is_some() {
            return Err(ApiError::forbidden("they were removed from this room: who runs it can let them in again"));
        }
        self.let_in(&room, &who.user, user).await
    }

    pub(super) async fn do_leave(&self, who: &Viewer, room: &str) -> Result<Written, ApiError> {
        let Access { room, role } = self.visible(Some(who), room).await?;
        if role.is_none() {
            return self.nothing_to_do(&room).await;
        }
        may_change(&room)?;
        if role == Some(Role::Owner) {
            self.keep_an_owner(&who.user, &room).await?;
        }
        self.limits.write(who.user.id)?;
        self.take_out(&room, &who.user, who.user.clone()).await
    }

    pub(super) async fn do_remove_member(&self, who: &Viewer, room: &str, username: &str) -> Result<Written, ApiError> {
        if Username::parse(username)?.as_str() == who.user.username {
            return self.do_leave(who, room).await;
        }
        let Access { room, role } = self.run(who, room).await?;
        may_change(&room)?;
        self.limits.write(who.user.id)?;
        let user = self.person(username).await?;
        let Some(theirs) = self.roles.of(&room, user.id).await.map_err(store_failed)? else {
            return self.nothing_to_do(&room).await;
        };
        if theirs.runs() && role != Some(Role::Owner) && !who.user.admin {
            return Err(ApiError::forbidden("only an owner removes those who run this room"));
        }
        self.take_out(&room, &who.user, user).await
    }

    pub(super) async fn let_in(&self, room: &RoomRow, by: &User, user: User) -> Result<Written, ApiError> {
        let (id, role) = (user.id, Role::Member);
        self.change_member(room, by, id, Some(role), KnownEvent::MemberJoined { user, role }).await
    }

    async fn take_out(&self, room: &RoomRow, by: &User, user: User) -> Result<Written, ApiError> {
        self.change_member(room, by, user.id, None, KnownEvent::MemberLeft { user, by: by.clone() }).await
    }

    /// Once the log has it, it holds, on this node at once and on the others as soon as they are told; the store
    /// follows.
    pub(super) async fn change_member(
        &self,
        room: &RoomRow,
        by: &User,
        user: UserId,
        role: Option<Role>,
        event: KnownEvent,
    ) -> Result<Written, ApiError> {
        let (id, roles, fanout) = (room.id, self.roles.clone(), self.fanout.clone());
        let removed = matches!(&event, KnownEvent::MemberLeft { user, by } if user.id != by.id);
        let then = move |at| async move {
            roles.learn(id, user, Standing { role, removed, at });
            tell(&*fanout, Notice::MemberChanged { room: id, user, role, at, removed }).await;
        };
        let appended = self.append_and(room, by.id, Uuid::now_v7(), event, then).await;
        if let Err(ApiError::Unavailable { outcome: Outcome::Unknown, .. }) = appended {
            self.find_out(room, user);
        }
        let at = appended?;
        self.caught_up(room, at).await;
        Ok(Written { at })
    }

    /// A change that may be in the log: once the store has everything that the log can have of it, all nodes are told what
    /// somebody is.
    fn find_out(&self, room: &RoomRow, user: UserId) {
        let (id, partition, epoch) = (room.id, room.partition, self.epoch);
        let (watch, store, roles, fanout) =
            (self.once.watch.clone(), self.store.clone(), self.roles.clone(), self.fanout.clone());
        let finding = async move {
            for patience in FIND_OUT_AFTER_S.map(Duration::from_secs) {
                tokio::time::sleep(patience).await;
                let Ok(covered) = watch.cover(partition, Instant::now(), patience).await else { continue };
                let Ok(role) = store.role(id, user).await else { continue };
                let Ok(removal) = store.removal(id, user).await else { continue };
                let removed = role.is_none() && removal.is_some();
                let Some(at) = covered.end.checked_sub(1).map(|last| Position::new(epoch, last)) else { continue };
                roles.learn(id, user, Standing { role, removed, at });
                tell(&*fanout, Notice::MemberChanged { room: id, user, role, at, removed }).await;
            }
        };
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = finding => {}
                () = stop.cancelled() => {}
            }
        });
    }

    pub(super) async fn nothing_to_do(&self, room: &RoomRow) -> Result<Written, ApiError> {
        let next = self.store.progress(room.partition).await.map_err(store_failed)?;
        let at = next.checked_sub(1).map_or(Position::before(self.epoch), |offset| Position::new(self.epoch, offset));
        Ok(Written { at })
    }

    pub(super) async fn person(&self, username: &str) -> Result<User, ApiError> {
        let name = Username::parse(username)?;
        let account = self.store.account(name.as_str()).await.map_err(store_failed)?;
        account.map(|a| a.user).ok_or(ApiError::NotFound)
    }

    /// The room of that slug, whoever asks.
    pub(super) async fn room_by_slug(&self, slug: &str) -> Result<Option<RoomRow>, ApiError> {
        self.store.room(&RoomKey::Slug(slug.to_owned())).await.map_err(store_failed)
    }
}
