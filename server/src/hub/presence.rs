//! Who is here: in which rooms somebody listens, at this node and at the others. Never in the log.
//!
//! Once a second each node tells the others of the rooms where that has changed at it, with all of its people there: what
//! is told twice does no harm, and what is lost is told again in turn. A node that is not heard of for [`NODE_LIFE`]
//! takes its people with it.

use super::{Sources, connection::encode, lock, room::ToRoom, rooms::Rooms};
use crate::{
    fanout::{Notice, PeopleHere},
    websocket::Frame,
};
use app::{model::RoomId, protocol::ServerFrame};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use table::{Show, Shown, Table};
use tokio::time::Instant;
use uuid::Uuid;

mod table;

/// How often changes are told and shown: what comes and goes in between is nothing.
const TICK: Duration = Duration::from_secs(1);
/// Telling the others takes no longer, or is for the next time.
const TELL_DEADLINE: Duration = Duration::from_secs(2);
/// A node of which nothing is heard for so long is gone.
pub(super) const NODE_LIFE: Duration = Duration::from_secs(20);
/// Most people of a room that are told by name; of more, only how many they are.
pub const MOST_NAMED: usize = 200;
/// Most people who come and go in a room at once that are shown one by one.
const MOST_SINGLY: usize = 8;

/// Who is here, as far as this node knows.
pub(super) struct Presence {
    node: Uuid,
    table: Mutex<Table>,
}

/// Somebody listens in a room for as long as this lives.
pub(super) struct Here {
    presence: Arc<Presence>,
    room: RoomId,
    /// `None`: a visitor.
    name: Option<Arc<str>>,
}

impl Drop for Here {
    fn drop(&mut self) {
        lock(&self.presence.table).went(self.room, self.name.as_ref(), Instant::now());
    }
}

impl Presence {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { node: Uuid::new_v4(), table: Mutex::default() })
    }

    /// Somebody listens in a room from now on.
    pub fn came(self: &Arc<Self>, room: RoomId, name: Option<Arc<str>>) -> Here {
        lock(&self.table).came(room, name.as_ref());
        Here { presence: self.clone(), room, name }
    }

    /// What the watchers of a room were shown last, for one who has just come.
    pub fn shown(&self, room: RoomId) -> Option<Frame> {
        lock(&self.table).shown(room).map(|shown| encode(&present(room, shown)))
    }

    /// Another node told, or asked.
    pub fn heard(&self, notice: Notice) {
        match notice {
            Notice::Here { node, rooms } if node != self.node => lock(&self.table).told(node, rooms, Instant::now()),
            Notice::WhoIsHere { node, rooms } if node != self.node => lock(&self.table).asked(&rooms),
            _ => {}
        }
    }

    /// Something may have been missed.
    pub fn ask_all(&self) {
        lock(&self.table).ask_all();
    }

    /// Tells and shows what changes, until it is dropped.
    pub async fn run(self: Arc<Self>, sources: Arc<Sources>, rooms: Arc<Rooms>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let turn = lock(&self.table).turn(Instant::now());
            for (room, show) in turn.show {
                rooms.hand(room, ToRoom::Present(frames(room, &show)));
            }
            let here = turn.tell.into_iter().map(|rooms| Notice::Here { node: self.node, rooms });
            let ask = turn.ask.into_iter().map(|rooms| Notice::WhoIsHere { node: self.node, rooms });
            for notice in here.chain(ask) {
                // What is not told now is told again in its turn.
                if let Ok(Err(_)) | Err(_) = tokio::time::timeout(TELL_DEADLINE, sources.fanout.tell(&notice)).await {
                    break;
                }
            }
        }
    }
}

fn frames(room: RoomId, show: &Show) -> Vec<Frame> {
    match show {
        Show::Singly { came, went } => {
            let one = |user: &String, online| encode(&ServerFrame::Presence { room, user: user.clone(), online });
            came.iter().map(|user| one(user, true)).chain(went.iter().map(|user| one(user, false))).collect()
        }
        Show::Anew(now) => vec![encode(&present(room, now))],
    }
}

fn present(room: RoomId, shown: &Shown) -> ServerFrame {
    let count = u32::try_from(shown.count).unwrap_or(u32::MAX);
    ServerFrame::Present { room, users: shown.names.iter().cloned().collect(), count }
}

/// What is told of a room: by name if they are few.
fn people(room: RoomId, names: Vec<String>) -> PeopleHere {
    let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
    PeopleHere { room, users: if names.len() > MOST_NAMED { Vec::new() } else { names }, count }
}
