//! What one has not read: kept up to date by the tab's connection, said to the server as it is read.

use super::{Command, Link, Live};
use crate::{
    api::{self, MarkAllRead, Notifications, Sent},
    badges::{Badges, Count, Known},
    browser::{random, sleep_ms, within_ms},
    model::{NotificationLevel, Position, RoomId, Unread},
    reactive::{read, write},
};
use leptos::{prelude::*, server_fn::ServerFn, task::spawn_local};
use std::collections::HashMap;

/// How long is waited for more before the server is told what has been read.
const TELL_AFTER_MS: u64 = 700;
/// The server is asked to count again within this: a crowd that missed something does not ask as one.
const COUNT_WITHIN_MS: f64 = 3_000.0;
/// The same for a crowd that comes back at once.
const COUNT_BACK_WITHIN_MS: f64 = 10_000.0;
/// How long an answer may take.
const ANSWER_MS: u64 = 10_000;

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Counting {
    /// The server will be asked, or is being asked.
    asking: bool,
    /// What has been read and is to be told.
    to_tell: HashMap<RoomId, (String, Position)>,
}

impl Live {
    /// What is unread in a room.
    pub fn unread_in(self, room: RoomId) -> Count {
        read(&self.badges()).of(room)
    }

    /// What is unread in all rooms.
    pub fn unread(self) -> Count {
        read(&self.badges()).total()
    }

    /// The same, for whoever outlives the page or is asked outside of its request's arena.
    pub fn badges(self) -> ArcRwSignal<Badges> {
        self.badges.into()
    }

    /// Changes whenever the list of one's rooms may have changed.
    pub fn rooms_changed(self) -> u32 {
        self.rooms_changed.get()
    }

    /// How much of a room the reader wants to be told of; `None`: it is not theirs, or not known yet.
    pub fn level_of(self, room: RoomId) -> Option<NotificationLevel> {
        read(&self.badges()).level(room)
    }

    /// Chooses how much of a room the reader wants to be told of. What the server does not learn of, it takes back.
    pub fn choose_level(self, room: RoomId, slug: String, level: NotificationLevel) {
        self.badges.update(|badges| badges.set_level(room, level));
        let told = Sent { room: Some(slug), level: Some(level), ..Sent::default() };
        spawn_local(async move {
            if !matches!(within_ms(ANSWER_MS, told.to(Notifications::PATH)).await, Some(Ok(()))) {
                self.count_again();
            }
        });
    }

    /// Everything in all rooms is read.
    pub fn read_all(self) {
        self.badges.update(Badges::read_all);
        spawn_local(async move {
            let told = within_ms(ANSWER_MS, Sent::default().to(MarkAllRead::PATH)).await;
            if !matches!(told, Some(Ok(()))) {
                self.count_again();
            }
        });
    }

    /// The server has counted.
    pub fn counted(self, rooms: &[Unread]) {
        write(&self.badges()).counted(rooms);
        self.command(Command::Count);
    }

    /// The tab hears of all rooms of the reader.
    pub fn count(self) {
        if self.signed_in {
            self.start();
        }
    }

    /// The reader has seen a room's messages up to here.
    pub fn seen(self, room: RoomId, slug: String, at: Position) {
        if !self.signed_in || self.badges.with_untracked(|badges| badges.is_read(room, at)) {
            return;
        }
        self.read(room, at);
        let first = self.counting.try_update_value(|counting| {
            let first = counting.to_tell.is_empty();
            counting.to_tell.insert(room, (slug, at));
            first
        });
        if first == Some(true) {
            spawn_local(async move {
                sleep_ms(TELL_AFTER_MS).await;
                let to_tell = self.counting.try_update_value(|counting| std::mem::take(&mut counting.to_tell));
                for (slug, at) in to_tell.unwrap_or_default().into_values() {
                    // Not told, the next that is read tells it too.
                    let _ = within_ms(ANSWER_MS, api::mark_read(slug, at)).await;
                }
            });
        }
    }

    /// Read up to here, in this tab or on another device.
    pub(super) fn read(self, room: RoomId, at: Position) {
        if self.badges.try_update(|badges| badges.read(room, at)) == Some(Known::CountAgain) {
            self.count_again();
        }
    }

    /// The rooms that one is in may be others now.
    pub(super) fn other_rooms(self) {
        self.rooms_changed.update(|times| *times += 1);
    }

    /// A room is called something else, or is in another list: all who are in it hear so at once, and do not ask as one.
    #[cfg(feature = "hydrate")]
    pub(super) fn rooms_soon(self) {
        spawn_local(async move {
            sleep_ms((COUNT_WITHIN_MS * random()) as u64).await;
            self.other_rooms();
        });
    }

    /// Something was missed that only the server knows.
    pub(super) fn count_again(self) {
        self.count_within(COUNT_WITHIN_MS);
    }

    /// The tab is connected. What changed before that was not told: one may be in other rooms.
    pub(super) fn connected(self, again: bool) {
        if self.signed_in {
            self.count_within(if again { COUNT_BACK_WITHIN_MS } else { COUNT_WITHIN_MS });
        }
    }

    fn count_within(self, ms: f64) {
        let free = self.counting.try_update_value(|counting| !std::mem::replace(&mut counting.asking, true));
        if free != Some(true) {
            return;
        }
        spawn_local(async move {
            sleep_ms((ms * random()) as u64).await;
            // What changes from here on is not in the answer for certain.
            self.counting.try_update_value(|counting| counting.asking = false);
            // Whose session is over has nobody to ask.
            if self.link.try_get_untracked() == Some(Link::Ended) {
                return;
            }
            if let Some(Ok(rooms)) = within_ms(ANSWER_MS, api::unread_rooms()).await {
                let others = self.badges.with_untracked(|badges| !badges.is_of(&rooms));
                self.counted(&rooms);
                if others {
                    self.other_rooms();
                }
            }
        });
    }
}
