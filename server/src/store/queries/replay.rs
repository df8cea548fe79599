//! Brings the rows for [`Replay`], page by page, and puts right what it finds wrong.

use super::{Connection, bulk, chains, pins, projection, retention, rooms, upkeep::digest};
use crate::store::{
    Replay, RoomKey, RoomRow, StoreError,
    replay::{ArchivedRow, MemberRow, MessageRow},
    row::{kept_role, position, role_word, signed, unknown_word},
    search::{NewTerms, place},
};
use app::model::{MessageId, Position, RoomId, UserId};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Rows of a page.
const PAGE: usize = 500;
/// Pages of a step: short, since folding may be waiting.
const PAGES: usize = 4;

/// `tx` must see one moment all along.
pub(super) async fn step(
    tx: &mut Connection,
    room: &RoomRow,
    replay: &mut Replay,
    mend: bool,
) -> Result<(), StoreError> {
    let chain = chains::of(tx, room.id).await?;
    if !replay.chain_begins(chain.as_ref()) {
        replay.begin_again(chain.as_ref());
    }
    for _ in 0..PAGES {
        let rows = events(tx, room.id, replay.read).await?;
        let last = rows.len() < PAGE;
        rows.into_iter().for_each(|row| replay.learn(room.id, row));
        if last {
            replay.compare_chain(chain.as_ref());
            return compare(tx, room, replay, mend).await;
        }
    }
    Ok(())
}

/// Everything in the archive is known; the next stretch of messages is compared with it.
async fn compare(tx: &mut Connection, room: &RoomRow, replay: &mut Replay, mend: bool) -> Result<(), StoreError> {
    for _ in 0..PAGES {
        let after = replay.compared;
        let mut archived = events(tx, room.id, after).await?;
        let mut rows = messages(tx, room.id, after).await?;
        // As far as both pages reach.
        let end = |full: bool, last: Option<Position>| last.filter(|_| full);
        let ends = [
            end(archived.len() == PAGE, archived.last().map(|row| row.at)),
            end(rows.len() == PAGE, rows.last().map(|row| row.at)),
        ];
        let upto = ends.into_iter().flatten().min();
        if let Some(upto) = upto {
            archived.retain(|row| row.at <= upto);
            rows.retain(|row| row.at <= upto);
        }
        reactions(tx, room.id, (after, upto), &mut rows).await?;
        let expected: Vec<MessageRow> = archived.iter().filter_map(|row| replay.message(row)).collect();
        let indexed = if mend { terms(room, &expected) } else { Vec::new() };
        let (missing, wrong) = replay.compare_messages(expected, rows);
        if mend {
            replay.mended += wrong.len() as u64;
            take_out(tx, room.id, &wrong).await?;
            put_in(tx, room.id, &missing).await?;
            // Whether the index is right is not known: it is written as it should be.
            bulk::index(tx, &indexed).await?;
        }
        match upto {
            Some(upto) => replay.compared = upto,
            None => {
                let wrong = replay.compare_members(members(tx, room.id).await?);
                if mend {
                    replay.mended += wrong.len() as u64;
                    put_members(tx, room.id, wrong).await?;
                    put_removals(tx, room.id, replay.removed()).await?;
                }
                let found = rooms::by_key(tx, &RoomKey::Id(room.id)).await?;
                if let Some((change, at)) = found.and_then(|found| replay.compare_room(&found))
                    && mend
                {
                    replay.mended += 1;
                    rooms::change(tx, room.id, &change, at).await?;
                }
                if let Some(up_to) = replay.compare_expired(retention::expired(tx, room.id).await?)
                    && mend
                {
                    replay.mended += 1;
                    retention::set_expired(tx, room.id, up_to).await?;
                }
                if mend {
                    retention::forget_files(tx, room.id).await?;
                }
                replay.end();
                return Ok(());
            }
        }
    }
    Ok(())
}

/// What the messages should be found by.
fn terms(room: &RoomRow, rows: &[MessageRow]) -> Vec<NewTerms> {
    let there = rows.iter().filter(|row| !row.deleted);
    let terms = |row: &MessageRow| NewTerms {
        room: room.id.0,
        id: row.id.0,
        place: place(room.partition, row.at),
        terms: bulk::terms(room.id.0, row.author.0, &row.body),
    };
    there.map(terms).collect()
}

async fn events(tx: &mut Connection, room: RoomId, after: Position) -> Result<Vec<ArchivedRow>, StoreError> {
    let rows: Vec<(i64, i64, String, Option<Vec<u8>>)> = sqlx::query_as(
        "select epoch, offset_no, body, digest from events
         where room = $1 and (epoch, offset_no) > ($2, $3) order by epoch, offset_no limit $4",
    )
    .bind(room.0)
    .bind(i64::from(after.epoch))
    .bind(signed(after.offset))
    .bind(PAGE as i64)
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|(epoch, offset, body, bytes)| {
            let at = position(epoch, offset);
            Ok(ArchivedRow { at, body, digest: bytes.map(|bytes| digest(&bytes, at)).transpose()? })
        })
        .collect()
}

#[derive(sqlx::FromRow)]
struct Posted {
    id: Uuid,
    epoch: i64,
    offset_no: i64,
    author: Uuid,
    body: String,
    sent_at: i64,
    edited_at: Option<i64>,
    deleted: bool,
    reply_to: Option<Uuid>,
    pinner: Option<Uuid>,
    pinned_at: Option<i64>,
    pin_epoch: Option<i64>,
    pin_offset: Option<i64>,
}

async fn messages(tx: &mut Connection, room: RoomId, after: Position) -> Result<Vec<MessageRow>, StoreError> {
    let rows: Vec<Posted> = sqlx::query_as(
        "select m.id, m.epoch, m.offset_no, m.author, m.body, m.sent_at, m.edited_at, m.deleted, m.reply_to,
                p.account as pinner, p.pinned_at, p.epoch as pin_epoch, p.offset_no as pin_offset
         from messages m left join pins p on p.room = m.room and p.message = m.id
         where m.room = $1 and (m.epoch, m.offset_no) > ($2, $3) order by m.epoch, m.offset_no limit $4",
    )
    .bind(room.0)
    .bind(i64::from(after.epoch))
    .bind(signed(after.offset))
    .bind(PAGE as i64)
    .fetch_all(tx)
    .await?;
    let message = |row: Posted| MessageRow {
        id: MessageId(row.id),
        at: position(row.epoch, row.offset_no),
        author: UserId(row.author),
        body: row.body,
        sent_at: row.sent_at,
        edited_at: row.edited_at,
        deleted: row.deleted,
        reply_to: row.reply_to.map(MessageId),
        reactions: BTreeMap::new(),
        pin: row
            .pinner
            .zip(row.pinned_at)
            .zip(row.pin_epoch.zip(row.pin_offset))
            .map(|((by, pinned_at), (epoch, offset))| (UserId(by), pinned_at, position(epoch, offset))),
    };
    Ok(rows.into_iter().map(message).collect())
}

/// The reactions of the messages in a stretch, which may have no end.
async fn reactions(
    tx: &mut Connection,
    room: RoomId,
    (after, upto): (Position, Option<Position>),
    rows: &mut [MessageRow],
) -> Result<(), StoreError> {
    let upto = upto.unwrap_or(Position::new(u32::MAX, u64::MAX));
    let found: Vec<(Uuid, String, Uuid, i64, i64)> = sqlx::query_as(
        "select r.message, r.emoji, r.account, r.epoch, r.offset_no
         from messages m join reactions r on r.room = m.room and r.message = m.id
         where m.room = $1 and (m.epoch, m.offset_no) > ($2, $3) and (m.epoch, m.offset_no) <= ($4, $5)",
    )
    .bind(room.0)
    .bind(i64::from(after.epoch))
    .bind(signed(after.offset))
    .bind(i64::from(upto.epoch))
    .bind(signed(upto.offset))
    .fetch_all(tx)
    .await?;
    let mut by_id: BTreeMap<Uuid, &mut MessageRow> = rows.iter_mut().map(|row| (row.id.0, row)).collect();
    for (message, emoji, account, epoch, offset) in found {
        if let Some(row) = by_id.get_mut(&message) {
            row.reactions.entry(emoji).or_default().insert(UserId(account), position(epoch, offset));
        }
    }
    Ok(())
}

async fn members(tx: &mut Connection, room: RoomId) -> Result<Vec<MemberRow>, StoreError> {
    let rows: Vec<(Uuid, String, i64, i64)> = sqlx::query_as(concat!(
        "select m.account, ",
        role_word!(),
        ", m.joined_epoch, m.joined_offset from memberships m where m.room = $1 order by m.account"
    ))
    .bind(room.0)
    .fetch_all(tx)
    .await?;
    let member = |(user, role, epoch, offset): (Uuid, String, i64, i64)| {
        let role = role.parse().map_err(unknown_word)?;
        Ok(MemberRow { user: UserId(user), role, at: position(epoch, offset) })
    };
    rows.into_iter().map(member).collect()
}

async fn take_out(tx: &mut Connection, room: RoomId, ids: &[MessageId]) -> Result<(), StoreError> {
    for id in ids {
        for query in [
            "delete from reactions where room = $1 and message = $2",
            "delete from pins where room = $1 and message = $2",
            "delete from messages where room = $1 and id = $2",
        ] {
            sqlx::query(query).bind(room.0).bind(id.0).execute(&mut *tx).await?;
        }
    }
    Ok(())
}

async fn put_in(tx: &mut Connection, room: RoomId, rows: &[MessageRow]) -> Result<(), StoreError> {
    for row in rows {
        sqlx::query(
            "insert into messages (room, id, epoch, offset_no, author, body, sent_at, edited_at, deleted, reply_to)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(room.0)
        .bind(row.id.0)
        .bind(i64::from(row.at.epoch))
        .bind(signed(row.at.offset))
        .bind(row.author.0)
        .bind(&row.body)
        .bind(row.sent_at)
        .bind(row.edited_at)
        .bind(row.deleted)
        .bind(row.reply_to.map(|id| id.0))
        .execute(&mut *tx)
        .await?;
        for (emoji, users) in &row.reactions {
            for (user, at) in users {
                sqlx::query(
                    "insert into reactions (room, message, emoji, account, epoch, offset_no)
                     values ($1, $2, $3, $4, $5, $6)",
                )
                .bind(room.0)
                .bind(row.id.0)
                .bind(emoji)
                .bind(user.0)
                .bind(i64::from(at.epoch))
                .bind(signed(at.offset))
                .execute(&mut *tx)
                .await?;
            }
        }
        if let Some(pin) = row.pin {
            pins::pin(tx, room, row.id, pin).await?;
        }
    }
    Ok(())
}

async fn put_members(
    tx: &mut Connection,
    room: RoomId,
    wrong: Vec<(UserId, Option<MemberRow>)>,
) -> Result<(), StoreError> {
    for (user, row) in wrong {
        sqlx::query("delete from memberships where room = $1 and account = $2")
            .bind(room.0)
            .bind(user.0)
            .execute(&mut *tx)
            .await?;
        let Some(row) = row else { continue };
        let (word, moderator) = kept_role(row.role);
        sqlx::query(
            "insert into memberships (room, account, role, moderator, joined_epoch, joined_offset)
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(room.0)
        .bind(user.0)
        .bind(word)
        .bind(moderator)
        .bind(i64::from(row.at.epoch))
        .bind(signed(row.at.offset))
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Of what the version before has folded, nobody is known to have been taken out.
async fn put_removals(
    tx: &mut Connection,
    room: RoomId,
    removed: impl Iterator<Item = (UserId, Position)>,
) -> Result<(), StoreError> {
    sqlx::query("delete from removals where room = $1").bind(room.0).execute(&mut *tx).await?;
    for (user, at) in removed {
        projection::remove(tx, room, user, at).await?;
    }
    Ok(())
}
