//! The queries of both adapters. Each adapter includes this folder as a module
//! of its own, so `super` is the adapter: its pools, its connection type, and
//! `bulk`, the inserts of many rows that the two databases do differently. The
//! text of all other queries is the same for both.

mod accounts;
mod administration;
mod archive;
mod chains;
mod files;
mod fold;
mod history;
mod invites;
mod members;
mod messages;
mod pending;
mod people;
mod pins;
mod progress;
mod projection;
mod replay;
mod restore;
mod retention;
mod rooms;
mod rows;
mod search;
mod sessions;
mod unread;
mod upkeep;

pub(super) use {
    messages::message_columns,
    search::{HitRow, hit_columns},
};

use super::{Adapter, Connection, Row, bulk, lookup, migrations};
use crate::store::{
    Account, AccountMade, EventPage, FileRow, FoldError, Found, InviteRow, NewAccount, NewFile, NewInvite, NewRoom,
    NewSession, Placed, PostedRow, RoomKey, RoomRow, Rotation, Search, Store, StoreError, Stretch, Window,
    failure::within,
};
use app::{
    backend::Member,
    model::{
        DirectoryPage, DirectoryQuery, FileId, Invite, Message, MessageId, MessagePage, Millis, NotificationLevel,
        PinList, Position, Role, Room, RoomId, SessionId, Thread, Unread, User, UserId,
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use fold::Fold;
use std::{collections::HashMap, sync::atomic::Ordering::Relaxed};
use uuid::Uuid;

/// What is read most, by name.
pub(super) const READS: &[(&str, &str)] = &[
    ("older messages", history::OLDER),
    ("newer messages", history::NEWER),
    ("older answers", history::OLDER_ANSWERS),
    ("newer answers", history::NEWER_ANSWERS),
    ("events", archive::PAGE),
    ("latest events", archive::LATEST),
    ("postings", concat!("with x as (select id as room, id as message from rooms where id = $1) ", postings_of_x!())),
    ("pins", pins::OF),
    ("unread", unread::OF),
    ("mentions", unread::MENTIONS),
];

#[async_trait]
impl Store for Adapter {
    async fn check(&self) -> Result<(), StoreError> {
        within(async { progress::epoch(&mut *self.reader().await?).await }).await.map(drop)
    }

    async fn epoch(&self) -> Result<u32, StoreError> {
        within(async { progress::epoch(&mut *self.reader().await?).await }).await
    }

    async fn progress(&self, partition: u32) -> Result<u64, StoreError> {
        within(async { progress::next(&mut *self.reader().await?, partition).await }).await
    }

    async fn fold(&self, partition: u32, from: u64, next: u64, records: &[Placed]) -> Result<(), FoldError> {
        within(async {
            let stretch = [Stretch { partition, from, next, records }];
            let mut fold = Fold::new(&stretch, self.epoch.load(Relaxed)).await;
            let mut tx = self.begin().await?;
            let mut folded = fold.write(&mut tx, fold::RUN).await;
            if matches!(folded, Err(FoldError::Poison { .. })) && records.len() > 1 {
                // Among rows that went in together the culprit is not known: once more, one by one.
                tx.rollback().await.map_err(StoreError::from)?;
                fold = Fold::new(&stretch, self.epoch.load(Relaxed)).await;
                tx = self.begin().await?;
                folded = fold.write(&mut tx, 1).await;
            }
            self.epoch.store(folded?, Relaxed);
            Ok(tx.commit().await.map_err(StoreError::from)?)
        })
        .await
    }

    async fn fold_together(&self, stretches: &[Stretch<'_>]) -> Result<(), FoldError> {
        if stretches.is_empty() {
            return Ok(());
        }
        within(async {
            let fold = Fold::new(stretches, self.epoch.load(Relaxed)).await;
            let mut tx = self.begin().await?;
            self.epoch.store(fold.write(&mut tx, fold::RUN).await?, Relaxed);
            Ok(tx.commit().await.map_err(StoreError::from)?)
        })
        .await
    }

    async fn bury(&self, partition: u32, offset: u64, payload: &[u8], reason: &str) -> Result<(), FoldError> {
        within(async {
            let mut tx = self.begin().await?;
            fold::bury(&mut tx, partition, offset, payload, reason).await?;
            Ok(tx.commit().await.map_err(StoreError::from)?)
        })
        .await
    }

    async fn create_account(&self, new: &NewAccount) -> Result<AccountMade, StoreError> {
        within(async {
            let mut tx = self.begin().await?;
            let made = accounts::create(&mut tx, new).await?;
            tx.commit().await?;
            Ok(made)
        })
        .await
    }

    async fn account(&self, username: &str) -> Result<Option<Account>, StoreError> {
        within(async { accounts::by_username(&mut *self.reader().await?, username).await }).await
    }

    async fn has_admin(&self) -> Result<bool, StoreError> {
        within(async { accounts::has_admin(&mut *self.reader().await?).await }).await
    }

    async fn create_session(&self, new: &NewSession) -> Result<(), StoreError> {
        within(async {
            let mut tx = self.begin().await?;
            sessions::create(&mut tx, new).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn session(&self, id: SessionId, now: Millis) -> Result<Option<User>, StoreError> {
        within(async { sessions::live(&mut *self.reader().await?, id, now).await }).await
    }

    async fn rotate(&self, old: &[u8; 32], new: &[u8; 32], now: Millis) -> Result<Rotation, StoreError> {
        within(async {
            let mut tx = self.begin().await?;
            let rotation = sessions::rotate(&mut tx, old, new, now).await?;
            tx.commit().await?;
            Ok(rotation)
        })
        .await
    }

    async fn end_session(&self, id: SessionId) -> Result<(), StoreError> {
        within(async { sessions::end(&mut *self.writer().await?, id).await }).await
    }

    async fn end_sessions(&self, user: UserId) -> Result<Vec<SessionId>, StoreError> {
        within(async { sessions::end_all(&mut *self.writer().await?, user).await }).await
    }

    async fn create_room(&self, new: &NewRoom) -> Result<bool, StoreError> {
        within(async { rooms::create(&mut *self.writer().await?, new).await }).await
    }

    async fn room(&self, key: &RoomKey) -> Result<Option<RoomRow>, StoreError> {
        within(async { rooms::by_key(&mut *self.reader().await?, key).await }).await
    }

    async fn rooms(&self, user: Option<UserId>, archived: bool) -> Result<Vec<Room>, StoreError> {
        within(async { rooms::known_to(&mut *self.reader().await?, user, archived).await }).await
    }

    async fn directory(&self, user: Option<UserId>, query: &DirectoryQuery) -> Result<DirectoryPage, StoreError> {
        within(async { rooms::directory(&mut *self.reader().await?, user, query).await }).await
    }

    async fn unread(&self, user: &User) -> Result<Vec<Unread>, StoreError> {
        within(async { unread::of(&mut *self.reader().await?, user).await }).await
    }

    async fn member_count(&self, room: RoomId) -> Result<u64, StoreError> {
        within(async { members::count(&mut *self.reader().await?, room).await }).await
    }

    async fn role(&self, room: RoomId, user: UserId) -> Result<Option<Role>, StoreError> {
        within(async { members::role(&mut *self.reader().await?, room, user).await }).await
    }

    async fn owners(&self, room: RoomId) -> Result<u64, StoreError> {
        within(async { members::owners(&mut *self.reader().await?, room).await }).await
    }

    async fn removal(&self, room: RoomId, user: UserId) -> Result<Option<Position>, StoreError> {
        within(async { members::removal(&mut *self.reader().await?, room, user).await }).await
    }

    async fn members(&self, room: RoomId) -> Result<Vec<Member>, StoreError> {
        within(async { members::of(&mut *self.reader().await?, room).await }).await
    }

    async fn create_invite(&self, new: &NewInvite) -> Result<bool, StoreError> {
        within(async {
            let mut tx = self.begin().await?;
            let made = invites::create(&mut tx, new).await?;
            tx.commit().await?;
            Ok(made)
        })
        .await
    }

    async fn invites(&self, room: RoomId, now: Millis) -> Result<Vec<Invite>, StoreError> {
        within(async { invites::of(&mut *self.reader().await?, room, now).await }).await
    }

    async fn revoke_invite(&self, room: RoomId, id: Uuid) -> Result<bool, StoreError> {
        within(async { invites::revoke(&mut *self.writer().await?, room, id).await }).await
    }

    async fn invite(&self, secret_hash: &[u8; 32], now: Millis) -> Result<Option<InviteRow>, StoreError> {
        within(async { invites::by_secret(&mut *self.reader().await?, secret_hash, now).await }).await
    }

    async fn take_invite(&self, id: Uuid, now: Millis) -> Result<bool, StoreError> {
        within(async { invites::take(&mut *self.writer().await?, id, now).await }).await
    }

    async fn give_back_invite(&self, id: Uuid) -> Result<(), StoreError> {
        within(async { invites::give_back(&mut *self.writer().await?, id).await }).await
    }

    async fn history(&self, room: &RoomRow, window: Window, limit: u32) -> Result<Option<MessagePage>, StoreError> {
        within(async {
            if !matches!(window, Window::Around(_)) {
                return history::page(&mut *self.reader().await?, room, None, window, limit).await;
            }
            let mut tx = self.snapshot().await?;
            let page = history::page(&mut tx, room, None, window, limit).await?;
            tx.commit().await?;
            Ok(page)
        })
        .await
    }

    async fn thread(
        &self,
        room: &RoomRow,
        id: MessageId,
        window: Window,
        limit: u32,
    ) -> Result<Option<Thread>, StoreError> {
        within(async {
            let mut tx = self.snapshot().await?;
            let thread = history::thread(&mut tx, room, id, window, limit).await?;
            tx.commit().await?;
            Ok(thread)
        })
        .await
    }

    async fn message(&self, room: RoomId, id: MessageId) -> Result<Option<Message>, StoreError> {
        within(async { messages::one(&mut *self.reader().await?, room, id).await }).await
    }

    async fn pins(&self, room: &RoomRow) -> Result<PinList, StoreError> {
        within(async { pins::of(&mut *self.reader().await?, room).await }).await
    }

    async fn posted_among(
        &self,
        asked: &[(RoomId, MessageId)],
    ) -> Result<HashMap<(RoomId, MessageId), PostedRow>, StoreError> {
        within(async { archive::posted_among(&mut *self.reader().await?, asked).await }).await
    }

    async fn posted_after(
        &self,
        last: Option<(RoomId, MessageId)>,
        limit: u32,
    ) -> Result<Vec<(RoomId, MessageId)>, StoreError> {
        within(async { archive::posted_after(&mut *self.reader().await?, last, limit).await }).await
    }

    async fn head(&self, room: &RoomRow) -> Result<Position, StoreError> {
        within(async { archive::head(&mut *self.reader().await?, room.id).await }).await
    }

    async fn forgetting(&self, now: Millis, again: Millis, limit: u32) -> Result<Vec<RoomRow>, StoreError> {
        within(async { retention::forgetting(&mut *self.writer().await?, now, again, limit).await }).await
    }

    async fn look_again(&self, room: RoomId, at: Millis) -> Result<(), StoreError> {
        within(async { retention::look_again(&mut *self.writer().await?, room, at).await }).await
    }

    async fn oldest(&self, room: RoomId, limit: u32) -> Result<Vec<(Position, Millis)>, StoreError> {
        within(async { retention::oldest(&mut *self.reader().await?, room, limit).await }).await
    }

    async fn events(&self, room: &RoomRow, after: Position, limit: u32) -> Result<EventPage, StoreError> {
        within(async { archive::page(&mut *self.reader().await?, room, after, limit).await }).await
    }

    async fn latest_events(&self, room: &RoomRow, upto: Position, limit: u32) -> Result<EventPage, StoreError> {
        within(async { archive::latest(&mut *self.reader().await?, room, upto, limit).await }).await
    }

    async fn search(&self, search: &Search) -> Result<Found, StoreError> {
        within(async { search::find(&mut *self.reader().await?, search).await }).await
    }

    async fn index(&self, limit: u32) -> Result<u32, StoreError> {
        within(async {
            // As a rule there is nothing, and nobody is to wait for that.
            if !search::any_unindexed(&mut *self.reader().await?).await? {
                return Ok(0);
            }
            let mut tx = self.begin().await?;
            let indexed = search::index_some(&mut tx, limit).await?;
            tx.commit().await?;
            Ok(indexed)
        })
        .await
    }

    async fn mark_read(&self, room: RoomId, user: UserId, at: Position) -> Result<(), StoreError> {
        within(async { members::mark_read(&mut *self.writer().await?, room, user, at).await }).await
    }

    async fn set_level(&self, room: RoomId, user: UserId, level: NotificationLevel) -> Result<(), StoreError> {
        within(async { members::set_level(&mut *self.writer().await?, room, user, level).await }).await
    }

    async fn read_marker(&self, room: RoomId, user: UserId) -> Result<Option<Position>, StoreError> {
        within(async { members::read_marker(&mut *self.reader().await?, room, user).await }).await
    }

    async fn save_file(&self, new: &NewFile) -> Result<(), StoreError> {
        within(async {
            let mut tx = self.begin().await?;
            files::save(&mut tx, new).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn file(&self, id: FileId) -> Result<Option<FileRow>, StoreError> {
        within(async { files::one(&mut *self.reader().await?, id).await }).await
    }

    async fn file_part(&self, id: FileId, part: u32) -> Result<Option<Bytes>, StoreError> {
        within(async { files::part(&mut *self.reader().await?, id, part).await }).await
    }

    async fn forget_files(&self, unnamed_before: Millis, limit: u32) -> Result<u32, StoreError> {
        within(async { files::forget(&mut *self.writer().await?, unnamed_before, limit).await }).await
    }
}
