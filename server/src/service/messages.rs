//! Messages: posting, editing, deleting, reacting, reading back.

use super::{Access, Service, retries::Done, store_failed};
use crate::{store::Window, time::now};
use app::{
    backend::{HistoryQuery, NewMessage, Viewer},
    error::ApiError,
    model::{Emoji, KnownEvent, Message, MessageBody, MessageId, MessagePage, Position, Posted, Role, Written},
};
use std::time::Duration;
use uuid::Uuid;

/// How long a post waits to hear from the store whether it is a retry.
const STORE_PATIENCE: Duration = Duration::from_millis(500);
/// Different emoji under one message.
const MAX_REACTIONS: usize = 50;
const DEFAULT_PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;

impl Service {
    pub(super) async fn do_history(
        &self,
        who: Option<&Viewer>,
        room: &str,
        query: &HistoryQuery,
    ) -> Result<MessagePage, ApiError> {
        let Access { room, .. } = self.readable(who, room).await?;
        let window = match (query.before, query.after, query.around) {
            (None, None, None) => Window::Newest,
            (Some(before), None, None) => Window::Before(before),
            (None, Some(after), None) => Window::After(after),
            (None, None, Some(id)) => Window::Around(id),
            _ => return Err(ApiError::invalid("give one of before, after and around")),
        };
        let limit = query.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(ApiError::invalid("limit is 1 to 200"));
        }
        if let Some(at) = query.at_least {
            // Not reached in time, the answer is what there is; its `at` tells.
            self.caught_up(&room, at).await;
        }
        self.store.history(&room, window, limit).await.map_err(store_failed)?.ok_or(ApiError::NotFound)
    }

    pub(super) async fn do_post(&self, who: &Viewer, room: &str, new: NewMessage) -> Result<Posted, ApiError> {
        let Access { room, .. } = self.writable(who, room).await?;
        let body = MessageBody::parse(&new.body)?;
        self.limits.write(who.user.id)?;
        let id = new.id.unwrap_or_default();
        let mut done = self.retries.turn(room.id, id).lock_owned().await;
        if done.is_none() && new.id.is_some() {
            // The store away, the log is still there: of two records the first will stand, everywhere.
            let known = tokio::time::timeout(STORE_PATIENCE, self.store.posted(room.id, id)).await;
            let known = known.unwrap_or(Ok(None)).unwrap_or_default();
            *done = known.map(|p| Done::new(p.author, p.at, p.body.as_deref()));
        }
        if let Some(done) = &*done {
            return if done.is(who.user.id, body.as_str()) {
                Ok(Posted { id, at: done.at, repeated: true })
            } else {
                Err(ApiError::conflict("another message has this id already"))
            };
        }
        let message = Message {
            id,
            at: Position::START,
            author: who.user.clone(),
            body: body.as_str().to_owned(),
            sent_at: now(),
            edited_at: None,
            deleted: false,
            reply_to: new.reply_to,
            reactions: Vec::new(),
        };
        let author = who.user.id;
        // The turn goes along: a retry waits for this one, even if its sender has hung up.
        let then = move |at| {
            *done = Some(Done::new(author, at, Some(body.as_str())));
            std::future::ready(())
        };
        let at = self.append_and(&room, author, id.0, KnownEvent::MessagePosted { message }, then).await?;
        Ok(Posted { id, at, repeated: false })
    }

    pub(super) async fn do_edit(
        &self,
        who: &Viewer,
        room: &str,
        id: MessageId,
        body: &str,
    ) -> Result<Written, ApiError> {
        let access = self.writable(who, room).await?;
        let body = MessageBody::parse(body)?;
        self.limits.write(who.user.id)?;
        let message = self.standing_message(&access, id).await?;
        if message.author.id != who.user.id {
            return Err(ApiError::forbidden("only its author may edit a message"));
        }
        let event = KnownEvent::MessageEdited { id, body: body.into_string(), edited_at: now() };
        let at = self.append(&access.room, who.user.id, Uuid::now_v7(), event).await?;
        Ok(Written { at })
    }

    pub(super) async fn do_delete(&self, who: &Viewer, room: &str, id: MessageId) -> Result<Written, ApiError> {
        let access = self.visible(Some(who), room).await?;
        self.limits.write(who.user.id)?;
        let message = self.standing_message(&access, id).await?;
        let may = match access.role {
            Some(Role::Owner) => true,
            Some(Role::Member) => message.author.id == who.user.id || who.user.admin,
            None => who.user.admin,
        };
        if !may {
            return Err(ApiError::forbidden("only its author or an owner of the room may delete a message"));
        }
        let event = KnownEvent::MessageDeleted { id, by: who.user.clone() };
        let at = self.append(&access.room, who.user.id, Uuid::now_v7(), event).await?;
        Ok(Written { at })
    }

    pub(super) async fn do_react(
        &self,
        who: &Viewer,
        room: &str,
        id: MessageId,
        emoji: &str,
        on: bool,
    ) -> Result<Written, ApiError> {
        let access = self.writable(who, room).await?;
        let emoji = Emoji::parse(emoji)?.as_str().to_owned();
        self.limits.write(who.user.id)?;
        let message = self.standing_message(&access, id).await?;
        if on && message.reactions.len() >= MAX_REACTIONS && !message.reactions.iter().any(|r| r.emoji == emoji) {
            return Err(ApiError::conflict("this message has as many different reactions as there may be"));
        }
        let by = who.user.clone();
        let event = if on {
            KnownEvent::ReactionAdded { id, emoji, by }
        } else {
            KnownEvent::ReactionRemoved { id, emoji, by }
        };
        let at = self.append(&access.room, who.user.id, Uuid::now_v7(), event).await?;
        Ok(Written { at })
    }

    /// A message that is there and not deleted. One that has just been posted through this node may not have been
    /// folded yet: then the store is waited for.
    async fn standing_message(&self, access: &Access, id: MessageId) -> Result<Message, ApiError> {
        let find = || async { self.store.message(access.room.id, id).await.map_err(store_failed) };
        let mut found = find().await?;
        if found.is_none()
            && let Some(at) = self.retries.posted_at(access.room.id, id).await
        {
            self.caught_up(&access.room, at).await;
            found = find().await?;
        }
        found.filter(|m| !m.deleted).ok_or(ApiError::NotFound)
    }
}
