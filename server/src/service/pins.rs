//! What a room keeps in view, and who says so.

use super::{Access, Service, settings::in_use, store_failed};
use app::{
    backend::Viewer,
    direct::is_direct,
    error::ApiError,
    model::{KnownEvent, MAX_PINS, MessageId, Role, Written},
};
use uuid::Uuid;

impl Service {
    /// Those who run the room do, administrators, and in a direct conversation everybody who is in it. Like a reaction,
    /// what is there already may be put there again.
    pub(super) async fn do_pin(&self, who: &Viewer, room: &str, id: MessageId, on: bool) -> Result<Written, ApiError> {
        let access = self.visible(Some(who), room).await?;
        if !may_pin(who, &access) {
            return Err(ApiError::forbidden("only an owner or a moderator of this room may pin messages in it"));
        }
        in_use(&access.room)?;
        self.limits.write(who.user.id)?;
        let message = self.standing_message(&access, id).await?;
        if on && !message.pinned {
            let list = self.store.pins(&access.room).await.map_err(store_failed)?;
            if list.pins.len() >= MAX_PINS {
                return Err(ApiError::conflict(
                    "this room has as many pinned messages as there may be: unpin one first",
                ));
            }
        }
        let by = who.user.clone();
        let event = if on {
            KnownEvent::MessagePinned { id, by, pinned_at: crate::time::now() }
        } else {
            KnownEvent::MessageUnpinned { id, by }
        };
        let at = self.append(&access.room, who.user.id, Uuid::now_v7(), event).await?;
        Ok(Written { at })
    }
}

fn may_pin(who: &Viewer, access: &Access) -> bool {
    who.user.admin || access.role.is_some_and(|role| Role::runs(role) || is_direct(&access.room.slug))
}
