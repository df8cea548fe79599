//! The browser's end of the socket: one in a tab, for all of its pages.
//!
//! Between the hub and [`RoomState`] in a message's way. Whatever was missed is
//! asked for again since the state's position, so nothing is lost or shown twice.

#[cfg(any(test, feature = "hydrate"))]
mod asks;
mod backoff;
#[cfg(feature = "hydrate")]
mod chunk;
mod counting;
mod presence;
#[cfg(feature = "hydrate")]
mod read_again;
#[cfg(any(test, feature = "hydrate"))]
mod reads;
#[cfg(feature = "hydrate")]
mod socket;
mod typing;

use crate::{
    badges::Badges,
    model::{RoomId, User},
    outbox::Outbox,
    protocol::Status,
    state::RoomState,
};
pub use backoff::backoff_ms;
use leptos::prelude::*;
use presence::Presence;
use std::collections::HashMap;
pub use typing::Typing;

/// How the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Not up yet; too early to speak of it.
    Connecting,
    /// Up.
    Online,
    /// Gone long enough to say so.
    Lost {
        /// When it is tried again; 0: just now.
        retry_in_s: u32,
    },
    /// The session is over: only signing in helps.
    Ended,
}

/// What the pages ask of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Hear of a room from where its state is.
    Watch(RoomId),
    /// Hear of it no more.
    Unwatch(RoomId),
    /// There may be more rooms whose messages are counted.
    Count,
    /// Something suggests that the network is back, or that it was gone unnoticed.
    Wake,
}

#[cfg(feature = "hydrate")]
type Commands = futures::channel::mpsc::Sender<Command>;
#[cfg(not(feature = "hydrate"))]
type Commands = ();

/// The tab's connection.
#[derive(Clone, Copy)]
pub struct Live {
    link: RwSignal<Link>,
    status: RwSignal<Status>,
    watched: StoredValue<HashMap<RoomId, RwSignal<RoomState>>>,
    typing: RwSignal<Typing>,
    presence: RwSignal<Presence>,
    badges: RwSignal<Badges>,
    rooms_changed: RwSignal<u32>,
    counting: StoredValue<counting::Counting>,
    visible: RwSignal<bool>,
    #[cfg(feature = "hydrate")]
    reads: StoredValue<reads::Reads>,
    commands: StoredValue<Option<Commands>>,
    outbox: Outbox,
    me: StoredValue<Option<User>>,
    /// Somebody is signed in, so a connection without a session is no connection.
    signed_in: bool,
}

impl Live {
    /// Makes the tab's connection; it opens with the first room that is watched.
    pub fn provide(outbox: Outbox, me: Option<User>) -> Self {
        let live = Self {
            link: RwSignal::new(Link::Connecting),
            status: RwSignal::new(Status::WELL),
            watched: StoredValue::default(),
            typing: RwSignal::default(),
            presence: RwSignal::default(),
            badges: RwSignal::default(),
            rooms_changed: RwSignal::default(),
            counting: StoredValue::default(),
            visible: RwSignal::new(true),
            #[cfg(feature = "hydrate")]
            reads: StoredValue::default(),
            commands: StoredValue::new(None),
            outbox,
            signed_in: me.is_some(),
            me: StoredValue::new(me),
        };
        provide_context(live);
        live
    }

    /// How the connection is.
    pub fn link(self) -> RwSignal<Link> {
        self.link
    }

    /// What works at the other end of the connection.
    pub fn status(self) -> Signal<Status> {
        self.status.into()
    }

    /// Whether the tab is in view.
    pub fn visible(self) -> Signal<bool> {
        self.visible.into()
    }

    /// Who types in a room just now, by user name.
    pub fn typing_in(self, room: RoomId) -> Vec<String> {
        self.typing.with(|typing| typing.of(room))
    }

    /// Who is in a room just now.
    pub fn present(self) -> Signal<Presence> {
        self.presence.into()
    }

    /// Keeps a room's state up to date as long as the caller's owner lives. Call from an effect.
    pub fn watch(self, state: RwSignal<RoomState>) {
        let room = state.with_untracked(RoomState::id);
        self.start();
        self.watched.update_value(|watched| {
            watched.insert(room, state);
        });
        self.outbox.settle(state);
        // What an earlier page was to read is not what this one needs.
        self.no_need_to_read(room);
        self.command(Command::Watch(room));
        on_cleanup(move || {
            let ours = self.watched.try_update_value(|watched| {
                // The next page may watch the same room already.
                let ours = watched.get(&room) == Some(&state);
                if ours {
                    watched.remove(&room);
                }
                ours
            });
            if ours == Some(true) {
                self.command(Command::Unwatch(room));
            }
        });
    }

    /// Tries at once.
    pub fn retry(self) {
        self.command(Command::Wake);
    }

    #[cfg(feature = "hydrate")]
    fn start(self) {
        if self.commands.with_value(Option::is_some) {
            return;
        }
        // A queue this long means that the socket's task is stuck; it reads the watched rooms anew when it connects.
        let (sender, receiver) = futures::channel::mpsc::channel(64);
        self.commands.set_value(Some(sender));
        self.visible.set(crate::browser::visible());
        for event in ["online", "visibilitychange", "pageshow"] {
            // The listeners live as long as the tab's connection does, which is as long as the tab.
            let _ = window_event_listener_untyped(event, move |_| {
                let visible = crate::browser::visible();
                self.visible.set(visible);
                if visible {
                    self.command(Command::Wake);
                }
            });
        }
        // Owned by the tab: nothing of the page outlives it, and nothing ends before it.
        leptos::task::spawn_local(chunk::run(self, receiver));
    }

    #[cfg(not(feature = "hydrate"))]
    fn start(self) {}

    /// The room is heard of, or asked for, without being read anew.
    #[cfg(feature = "hydrate")]
    fn no_need_to_read(self, room: RoomId) {
        self.reads.try_update_value(|reads| reads.needless(room));
    }

    #[cfg(not(feature = "hydrate"))]
    fn no_need_to_read(self, _room: RoomId) {}

    /// The room is being read anew, or is about to be: asking is for afterwards.
    #[cfg(feature = "hydrate")]
    fn is_to_be_read(self, room: RoomId) -> bool {
        self.reads.try_with_value(|reads| reads.wanted(room).is_some()) == Some(true)
    }

    #[cfg(feature = "hydrate")]
    fn command(self, command: Command) {
        self.commands.try_update_value(|commands| commands.as_mut().map(|commands| commands.try_send(command).ok()));
    }

    #[cfg(not(feature = "hydrate"))]
    fn command(self, _command: Command) {}
}
