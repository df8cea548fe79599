//! What a person can do to a message, from the browser: it shows at once, and stays if the server accepts it.

use crate::{
    api::{Delete, Edit, Pin, React, Sent},
    browser::{self, within_ms},
    direct::{called, is_direct},
    error::{ApiError, Outcome},
    model::{KnownEvent, MessageId, Role, User, Written},
    reactive::memo,
    session,
    state::RoomState,
    words,
};
use leptos::{prelude::*, server_fn::ServerFn, task::spawn_local};
use std::fmt::Display;

/// How long the server may take.
const DEADLINE_MS: u64 = 15_000;

/// What can be done in one room.
#[derive(Clone, Copy)]
pub struct Actions {
    state: RwSignal<RoomState>,
    me: StoredValue<Option<User>>,
    /// The user names of who is in the room.
    people: Memo<Vec<String>>,
    /// The message that the composer answers.
    reply_to: RwSignal<Option<MessageId>>,
    /// What went wrong last.
    problem: RwSignal<String>,
}

impl Actions {
    /// For a room, as the person who is signed in.
    pub fn new(state: RwSignal<RoomState>, reply_to: Option<MessageId>, problem: String) -> Self {
        Self {
            state,
            me: StoredValue::new(session::me()),
            people: memo(move || {
                state.with(|state| state.members().iter().map(|member| member.user.username.clone()).collect())
            }),
            reply_to: RwSignal::new(reply_to),
            problem: RwSignal::new(problem),
        }
    }

    /// The room.
    pub fn state(self) -> RwSignal<RoomState> {
        self.state
    }

    /// The room's name in addresses.
    pub fn slug(self) -> String {
        self.state.with_untracked(|state| state.room().slug.clone())
    }

    /// What the person calls the room: `#tea`, `@lin`. Reactive.
    pub fn room_called(self) -> String {
        let me = self.me();
        self.state.with(|state| called(state.room(), me.as_deref()))
    }

    /// The user name of who is signed in.
    pub fn me(self) -> Option<String> {
        self.me.with_value(|me| me.as_ref().map(|me| me.username.clone()))
    }

    /// What a text that is begun here is kept under, for this person alone: others may use the same browser.
    pub fn draft_key(self, of: impl Display) -> String {
        format!("partyline.draft.{}.{of}", self.me().unwrap_or_default())
    }

    /// The user names of who is in the room.
    pub fn people(self) -> Memo<Vec<String>> {
        self.people
    }

    /// What the person may do in the room, as people come and go. Reactive.
    pub fn role(self) -> Option<Role> {
        let me = self.me.with_value(|me| me.as_ref().map(|me| me.id))?;
        self.state.with(|state| state.role_of(me))
    }

    /// Nothing happens in the room any more. Reactive.
    pub fn archived(self) -> bool {
        self.state.with(|state| state.room().archived)
    }

    /// The person writes here: a member of a room in use.
    pub fn may_write(self) -> bool {
        untrack(|| self.role().is_some() && !self.archived())
    }

    /// It is the person's own message.
    pub fn owns(self, author: &User) -> bool {
        self.me.with_value(|me| me.as_ref().is_some_and(|me| me.id == author.id))
    }

    /// The person may delete it.
    pub fn may_delete(self, author: &User) -> bool {
        let admin = self.me.with_value(|me| me.as_ref().is_some_and(|me| me.admin));
        self.owns(author) || admin || untrack(|| self.role()).is_some_and(Role::runs)
    }

    /// The person says what the room keeps in view.
    pub fn may_pin(self) -> bool {
        let admin = self.me.with_value(|me| me.as_ref().is_some_and(|me| me.admin));
        let (role, archived) = untrack(|| (self.role(), self.archived()));
        !archived && (admin || role.is_some_and(|role| role.runs() || is_direct(&self.slug())))
    }

    /// What the composer answers.
    pub fn reply_to(self) -> RwSignal<Option<MessageId>> {
        self.reply_to
    }

    /// What went wrong last.
    pub fn problem(self) -> RwSignal<String> {
        self.problem
    }

    /// Puts or takes back an emoji.
    pub fn react(self, id: MessageId, emoji: String, on: bool) {
        let Some(by) = self.me.get_value() else { return };
        let sent = Sent { emoji: Some(emoji.clone()), on: Some(on), ..self.about(id) };
        let event = if on {
            KnownEvent::ReactionAdded { id, emoji, by }
        } else {
            KnownEvent::ReactionRemoved { id, emoji, by }
        };
        self.change(React::PATH, sent, event, None);
    }

    /// Replaces the text; `refused` runs if the server does not take it.
    pub fn edit(self, id: MessageId, body: String, refused: impl Fn() + 'static) {
        let sent = Sent { body: Some(body.clone()), ..self.about(id) };
        let event = KnownEvent::MessageEdited { id, body, edited_at: browser::now(), posted_at: None };
        self.change(Edit::PATH, sent, event, Some(Box::new(refused)));
    }

    /// Deletes.
    pub fn delete(self, id: MessageId) {
        let Some(by) = self.me.get_value() else { return };
        self.change(Delete::PATH, self.about(id), KnownEvent::MessageDeleted { id, by, reply_to: None }, None);
    }

    /// Keeps it in view, or does no longer.
    pub fn pin(self, id: MessageId, on: bool) {
        let Some(by) = self.me.get_value() else { return };
        let event = if on {
            KnownEvent::MessagePinned { id, by, pinned_at: browser::now() }
        } else {
            KnownEvent::MessageUnpinned { id, by }
        };
        self.change(Pin::PATH, Sent { on: Some(on), ..self.about(id) }, event, None);
    }

    fn about(self, id: MessageId) -> Sent {
        Sent { room: Some(self.slug()), id: Some(id), ..Sent::default() }
    }

    fn change(self, path: &'static str, sent: Sent, event: KnownEvent, refused: Option<Box<dyn Fn()>>) {
        if !browser::online() {
            // Nobody was asked.
            return self.problem.set("There is no connection: this was not changed.".into());
        }
        let actions = self;
        self.state.update(|state| state.hope(event.clone()));
        spawn_local(async move {
            let outcome = within_ms(DEADLINE_MS, sent.to::<Written>(path)).await;
            let outcome = outcome.unwrap_or(Err(ApiError::unavailable(Outcome::Unknown)));
            let at = outcome.as_ref().ok().map(|written| written.at);
            // The page may have gone on to another room meanwhile.
            let _ = actions.state.try_update(|state| state.settle(&event, at));
            let problem = outcome.err().map(|error| words::sentence(&error.to_string()));
            if let (Some(_), Some(refused)) = (&problem, refused) {
                refused();
            }
            let _ = actions.problem.try_set(problem.unwrap_or_default());
        });
    }
}
