//! Who is what in a room, as far as this node knows.
//!
//! The store is asked; what the log has since, nodes tell each other. Both say
//! what they know as of a position, so that neither an older notice nor a store
//! that is still behind brings back a member who was removed.

use super::{FRESH, USABLE};
use crate::{
    remember::Remembered,
    store::{RoomRow, Store, StoreError},
};
use app::model::{Position, Role, RoomId, UserId};

const ROLES_REMEMBERED: usize = 200_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    role: Option<Role>,
    /// By the record there; [`Position::START`]: by the store.
    at: Position,
}

/// The roles that this node remembers.
pub struct Roles(Remembered<(RoomId, UserId), Known>);

impl Default for Roles {
    fn default() -> Self {
        Self(Remembered::new(FRESH, USABLE, ROLES_REMEMBERED))
    }
}

impl Roles {
    /// Somebody's role. Unknown, and nobody to ask: an error, so that the caller refuses.
    ///
    /// # Errors
    /// The store's.
    pub async fn of(&self, store: &dyn Store, room: &RoomRow, user: UserId) -> Result<Option<Role>, StoreError> {
        let key = (room.id, user);
        let told = self.0.known(&key).map(|(known, _)| known).filter(|known| known.at > Position::START);
        let ask = async {
            if let Some(told) = told
                && store.progress(room.partition).await? <= told.at.offset
            {
                return Ok::<_, StoreError>(Some(told));
            }
            let role = store.role(room.id, user).await?;
            // Only a yes is remembered: who has just been let in elsewhere must not hear an old no.
            Ok(role.map(|role| Known { role: Some(role), at: Position::START }))
        };
        Ok(self.0.recall(key, ask).await?.and_then(|known| known.role))
    }

    /// A change may have been missed: asks again before it trusts.
    pub fn doubt(&self) {
        self.0.doubt();
    }

    /// By the record at `at`, it is this.
    pub fn learn(&self, room: RoomId, user: UserId, role: Option<Role>, at: Position) {
        self.0.learn((room, user), Known { role, at }, |known| known.at < at);
    }
}
