//! The rooms that this node remembers, as far as it was told.
//!
//! As with [`super::roles`]: the store is asked, and what it may lack of changes
//! comes from what nodes tell each other, or else from the log's tail.

use super::{FRESH, ROOMS_REMEMBERED, USABLE, roles::Roles};
use crate::{
    remember::Remembered,
    store::{RoomKey, RoomRow, Store, StoreError},
};
use app::model::{Position, RoomChange, RoomId};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};

/// So many rooms at most are remembered to have changed since the store was asked. One that is forgotten is as the store
/// has it.
const CHANGES_REMEMBERED: usize = 10_000;

/// The rooms that this node remembers.
pub struct Rooms {
    known: Remembered<RoomKey, RoomRow>,
    /// What the store may lack: all that was changed, and where last.
    told: Mutex<HashMap<RoomId, (RoomChange, Position)>>,
    store: Arc<dyn Store>,
    roles: Arc<Roles>,
}

impl Rooms {
    /// Remembers no room yet.
    pub fn new(store: Arc<dyn Store>, roles: Arc<Roles>) -> Self {
        Self { known: Remembered::new(FRESH, USABLE, ROOMS_REMEMBERED), told: Mutex::default(), store, roles }
    }

    /// A room.
    ///
    /// # Errors
    /// The store's, if nothing usable is remembered.
    pub async fn find(&self, key: RoomKey) -> Result<Option<RoomRow>, StoreError> {
        let ask = async {
            let Some(mut room) = self.store.room(&key).await? else { return Ok(None) };
            // Where the log does not tell in time, the store's word stands, for as long as any may.
            if let Ok(Some(tail)) = self.roles.not_stored(room.partition).await
                && let Some((change, at)) = tail.change(room.id)
                && *at > room.changed
            {
                room.change(change, *at);
            }
            self.catch_up(&mut room);
            Ok(Some(room))
        };
        self.known.recall(key.clone(), ask).await
    }

    /// Lets happen to a room of the store's what the store lacks.
    pub fn catch_up(&self, room: &mut RoomRow) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let Entry::Occupied(entry) = told.entry(room.id) else { return };
        let (change, at) = entry.get();
        if *at > room.changed {
            room.change(change, *at);
        } else {
            entry.remove();
        }
    }

    /// By the record at `at`, this is different.
    pub fn learn(&self, id: RoomId, change: RoomChange, at: Position) {
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() >= CHANGES_REMEMBERED && !told.contains_key(&id) {
                told.clear();
            }
            match told.entry(id) {
                Entry::Occupied(mut entry) => {
                    let (before, last) = entry.get().clone();
                    let both = if at > last { before.then(change.clone()) } else { change.clone().then(before) };
                    entry.insert((both, at.max(last)));
                }
                Entry::Vacant(entry) => _ = entry.insert((change.clone(), at)),
            }
        }
        self.known.update(|room| {
            if room.id == id && at > room.changed {
                room.change(&change, at);
            }
        });
    }

    /// A change may have been missed: asks again before it trusts.
    pub fn doubt(&self) {
        self.known.doubt();
    }
}
