//! Who may know of a room, read it, write in it. Everything else asks here.

use super::{Service, settings::in_use, store_failed};
use crate::store::{RoomKey, RoomRow};
use app::{
    backend::Viewer,
    error::ApiError,
    model::{Role, Visibility},
};

/// A room and what the asking person is in it.
#[derive(Clone, Debug)]
pub struct Access {
    /// The room.
    pub room: RoomRow,
    /// `None`: not a member.
    pub role: Option<Role>,
}

impl Service {
    /// The room, if the viewer may know that it is there.
    pub(super) async fn visible(&self, who: Option<&Viewer>, room: &str) -> Result<Access, ApiError> {
        let room = self.find_room(room).await?.ok_or(ApiError::NotFound)?;
        let role = match who {
            Some(who) => self.roles.of(&room, who.user.id).await.map_err(store_failed)?,
            None => None,
        };
        let visible = role.is_some()
            || match room.visibility {
                Visibility::Public => true,
                Visibility::Members => who.is_some(),
                Visibility::Private => false,
            };
        if visible { Ok(Access { room, role }) } else { Err(ApiError::NotFound) }
    }

    /// The room, if the viewer may read what is said in it.
    ///
    /// # Errors
    /// [`ApiError::NotFound`], or [`ApiError::Forbidden`] for a listed room that must be joined first.
    pub async fn readable(&self, who: Option<&Viewer>, room: &str) -> Result<Access, ApiError> {
        let access = self.visible(who, room).await?;
        if access.role.is_some() || access.room.visibility == Visibility::Public {
            Ok(access)
        } else {
            Err(ApiError::forbidden("join this room to read it"))
        }
    }

    /// The room, if the viewer may write in it.
    ///
    /// # Errors
    /// [`ApiError::NotFound`], [`ApiError::Forbidden`] if they must join first, [`ApiError::Conflict`] if it is archived.
    pub(super) async fn writable(&self, who: &Viewer, room: &str) -> Result<Access, ApiError> {
        let access = self.visible(Some(who), room).await?;
        if access.role.is_none() {
            return Err(ApiError::forbidden("join this room to write in it"));
        }
        in_use(&access.room)?;
        Ok(access)
    }

    /// The room, if the viewer runs it, as an owner or a moderator, or runs the installation and may know of it.
    pub(super) async fn run(&self, who: &Viewer, room: &str) -> Result<Access, ApiError> {
        let access = self.visible(Some(who), room).await?;
        if access.role.is_some_and(Role::runs) || who.user.admin {
            Ok(access)
        } else {
            Err(ApiError::forbidden("only an owner or a moderator of this room may do that"))
        }
    }

    /// The room, if the viewer owns it or runs the installation and may know of it.
    pub(super) async fn owned(&self, who: &Viewer, room: &str) -> Result<Access, ApiError> {
        let access = self.visible(Some(who), room).await?;
        if access.role == Some(Role::Owner) || who.user.admin {
            Ok(access)
        } else {
            Err(ApiError::forbidden("only an owner of this room may do that"))
        }
    }

    async fn find_room(&self, room: &str) -> Result<Option<RoomRow>, ApiError> {
        // PostgreSQL's text cannot hold it, and no slug has it.
        if room.contains('\0') {
            return Ok(None);
        }
        self.rooms.find(RoomKey::parse(room)).await.map_err(store_failed)
    }
}
