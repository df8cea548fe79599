//! Messages: posting, editing, deleting, reacting, reading back.

use super::{Access, Service, retries::Done, store_failed};
use crate::{
    log::Record,
    store::{RoomRow, Window},
    time::now,
};
use app::{
    backend::{HistoryQuery, NewMessage, Viewer},
    direct::is_direct,
    error::{ApiError, Outcome},
    model::{Emoji, KnownEvent, Message, MessageBody, MessageId, MessagePage, Position, Posted, Thread, Written},
};
use uuid::Uuid;

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
        let (room, window, limit) = self.stretch(who, room, query).await?;
        self.store.history(&room, window, limit).await.map_err(store_failed)?.ok_or(ApiError::NotFound)
    }

    pub(super) async fn do_thread(
        &self,
        who: Option<&Viewer>,
        room: &str,
        id: MessageId,
        query: &HistoryQuery,
    ) -> Result<Thread, ApiError> {
        let (room, window, limit) = self.stretch(who, room, query).await?;
        if query.around.is_some() {
            return Err(ApiError::invalid("give one of before and after"));
        }
        self.store.thread(&room, id, window, limit).await.map_err(store_failed)?.ok_or(ApiError::NotFound)
    }

    /// Which stretch of a room they may read, as soon as the store has it.
    async fn stretch(
        &self,
        who: Option<&Viewer>,
        room: &str,
        query: &HistoryQuery,
    ) -> Result<(RoomRow, Window, u32), ApiError> {
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
        Ok((room, window, limit))
    }

    pub(super) async fn do_post(&self, who: &Viewer, room: &str, new: NewMessage) -> Result<Posted, ApiError> {
        let Access { room, .. } = self.writable(who, room).await?;
        let body = MessageBody::parse(&new.body)?;
        self.limits.write(who.user.id)?;
        let id = new.id.unwrap_or_default();
        let author = who.user.id;
        let wanted = Done::new(author, Position::START, Some(body.as_str()));
        let message =
            Message { reply_to: new.reply_to, ..Message::new(id, who.user.clone(), body.into_string(), now()) };
        let event = KnownEvent::MessagePosted { message };
        if new.id.is_none() {
            // Nobody else can know this id yet.
            self.once.note(room.id, id);
            let at = self.append(&room, author, id.0, event).await?;
            return Ok(Posted { id, at, repeated: false });
        }
        let mut turn = self.retries.turn(room.id, id).lock_owned().await;
        if let Some(done) = &*turn {
            return if done.is(&wanted) {
                Ok(Posted { id, at: done.at, repeated: true })
            } else {
                Err(ApiError::conflict("another message has this id already"))
            };
        }
        let record = Record { v: 1, room: room.id, by: author, id: id.0, accepted_at: now(), event: event.into() };
        let (once, (reply, answer)) = (self.once.clone(), tokio::sync::oneshot::channel());
        // It goes on if its sender hangs up, and the turn with it: a retry waits for this one.
        self.tasks.spawn(async move {
            let (posted, claim, settle) = once.post(&room, id, &wanted, &record).await;
            if let Ok(posted) = &posted {
                *turn = Some(posted.done.clone());
            }
            drop(turn);
            // Whoever no longer waits asks again.
            let _ = reply.send(posted);
            if let Some(settle) = settle {
                once.settle(&claim, settle).await;
            }
        });
        let posted = answer.await.unwrap_or(Err(ApiError::unavailable(Outcome::Unknown)))?;
        Ok(Posted { id, at: posted.done.at, repeated: posted.repeated })
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
        let (body, posted_at) = (body.into_string(), Some(message.at));
        let event = KnownEvent::MessageEdited { id, body, edited_at: now(), posted_at };
        let at = self.append(&access.room, who.user.id, Uuid::now_v7(), event).await?;
        Ok(Written { at })
    }

    pub(super) async fn do_delete(&self, who: &Viewer, room: &str, id: MessageId) -> Result<Written, ApiError> {
        let access = self.visible(Some(who), room).await?;
        self.limits.write(who.user.id)?;
        let message = self.standing_message(&access, id).await?;
        let may = match access.role {
            Some(role) if role.runs() && !is_direct(&access.room.slug) => true,
            Some(_) => message.author.id == who.user.id || who.user.admin,
            None => who.user.admin,
        };
        if !may {
            return Err(ApiError::forbidden("only its author or who runs the room may delete a message"));
        }
        let event = KnownEvent::MessageDeleted { id, by: who.user.clone(), reply_to: message.reply_to };
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
    pub(super) async fn standing_message(&self, access: &Access, id: MessageId) -> Result<Message, ApiError> {
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
