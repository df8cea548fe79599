//! The connections of this node: each, and those of somebody.

use super::{connection::Connection, lock};
use app::model::UserId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

#[derive(Default)]
pub(super) struct Connections(Mutex<Known>);

#[derive(Default)]
struct Known {
    all: HashMap<u64, Arc<Connection>>,
    of_user: HashMap<UserId, Vec<Arc<Connection>>>,
}

impl Connections {
    pub fn add(&self, connection: &Arc<Connection>) {
        let mut known = lock(&self.0);
        known.all.insert(connection.id(), connection.clone());
        if let Some(user) = connection.user() {
            known.of_user.entry(user).or_default().push(connection.clone());
        }
    }

    /// Whether it was there.
    pub fn remove(&self, connection: &Connection) -> bool {
        let mut known = lock(&self.0);
        if let Some(user) = connection.user()
            && let Some(theirs) = known.of_user.get_mut(&user)
        {
            theirs.retain(|c| c.id() != connection.id());
            if theirs.is_empty() {
                known.of_user.remove(&user);
            }
        }
        known.all.remove(&connection.id()).is_some()
    }

    pub fn count(&self) -> usize {
        lock(&self.0).all.len()
    }

    pub fn all(&self) -> Vec<Arc<Connection>> {
        lock(&self.0).all.values().cloned().collect()
    }

    pub fn of(&self, user: UserId) -> Vec<Arc<Connection>> {
        lock(&self.0).of_user.get(&user).cloned().unwrap_or_default()
    }
}
