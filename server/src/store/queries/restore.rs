//! Records that come into the archive later than their turn: dead letters that are
//! tried again, and what was lost from the archive and is still in the log.

use super::{
    Connection, archive, bulk, retention, rows,
    upkeep::{discard, seal},
};
use crate::{
    log::event_json,
    store::{
        Placed, Revived, StoreError, chain,
        failure::refusal,
        row::{signed, small},
    },
};
use app::model::{Event, KnownEvent, Position};

/// Does folding it at its place leave nothing in the archive?
pub(super) async fn is_vain(conn: &mut Connection, at: Position, placed: &Placed) -> Result<bool, StoreError> {
    let (room, by) = (placed.record.room, placed.record.by);
    match &placed.record.event {
        Event::Known(KnownEvent::MessagePosted { message }, _) => {
            let first = archive::posted_in_archive(conn, room, message.id).await?;
            Ok(first.is_some_and(|(first, _)| first < at))
        }
        Event::Known(KnownEvent::MessageEdited { id, .. }, _) => {
            match archive::posted_in_archive(conn, room, *id).await? {
                Some((first, author)) if first < at && author == by => {
                    let deleted = archive::deleted_at(conn, room, *id).await?;
                    let expired = retention::expired_at(conn, room, first).await?;
                    Ok([deleted, expired].into_iter().flatten().any(|gone| gone < at))
                }
                // Not there (yet), or somebody else's.
                _ => Ok(true),
            }
        }
        _ => Ok(false),
    }
}

pub(super) async fn revive(
    tx: &mut Connection,
    partition: u32,
    at: Position,
    placed: &Placed,
) -> Result<Revived, StoreError> {
    if !discard(tx, partition, at).await? {
        return Ok(Revived::Unknown);
    }
    let room = placed.record.room;
    if let Some(problem) = missing(tx, partition, placed).await? {
        return Ok(Revived::Refused(problem));
    }
    let again = match placed.record.event.text_of() {
        // A later posting of the same id has been taken for the first one meanwhile.
        Some(id) if matches!(&placed.record.event, Event::Known(KnownEvent::MessagePosted { .. }, _)) => {
            archive::posted_in_archive(tx, room, id).await?.is_some()
        }
        _ => is_vain(tx, at, placed).await?,
    };
    if again {
        return Ok(Revived::Vain);
    }
    if let Err(e) = put_in(tx, at, placed).await {
        return match refusal(&e) {
            Some(detail) => Ok(Revived::Refused(detail)),
            None => Err(e.into()),
        };
    }
    blank_if_gone(tx, at, placed).await?;
    seal(tx, room).await?;
    Ok(Revived::Archived)
}

/// What the record needs and the store does not have.
async fn missing(tx: &mut Connection, partition: u32, placed: &Placed) -> Result<Option<String>, StoreError> {
    let room: Option<i64> = sqlx::query_scalar("select partition_no from rooms where id = $1")
        .bind(placed.record.room.0)
        .fetch_optional(&mut *tx)
        .await?;
    match room {
        None => return Ok(Some(format!("there is no room {}", placed.record.room))),
        Some(found) if small(found) != partition => {
            return Ok(Some(format!("the room {} is of partition {found}", placed.record.room)));
        }
        Some(_) => {}
    }
    let Event::Known(known, _) = &placed.record.event else { return Ok(None) };
    if rows::has_nul(known) {
        return Ok(Some("a text has a NUL character".into()));
    }
    let person = match known {
        KnownEvent::MessagePosted { message } => message.author.id,
        KnownEvent::RoomCreated { by }
        | KnownEvent::ReactionAdded { by, .. }
        | KnownEvent::MessagePinned { by, .. } => by.id,
        KnownEvent::MemberJoined { user, .. } => user.id,
        _ => return Ok(None),
    };
    let there: bool =
        sqlx::query_scalar("select exists (select 1 from accounts where id = $1)").bind(person.0).fetch_one(tx).await?;
    Ok((!there).then(|| format!("there is no account {person}")))
}

/// Puts a record that was folded once back into the archive, if it is not there as it should be.
pub(super) async fn one(
    tx: &mut Connection,
    partition: u32,
    at: Position,
    placed: &Placed,
) -> Result<bool, StoreError> {
    let body = event_json(&placed.payload, at).map_err(|e| StoreError::Broken(e.to_string()))?;
    let there: Option<(Option<Vec<u8>>, String)> =
        sqlx::query_as("select digest, body from events where room = $1 and epoch = $2 and offset_no = $3")
            .bind(placed.record.room.0)
            .bind(i64::from(at.epoch))
            .bind(signed(at.offset))
            .fetch_optional(&mut *tx)
            .await?;
    match there {
        Some((digest, text)) => {
            let is_it = digest.as_deref() == Some(&chain::digest(&body));
            if is_it && (text == body || (is_blank_of(&text, &body) && is_gone(tx, at, placed).await?)) {
                return Ok(false);
            }
        }
        None if is_buried(tx, partition, at).await? || is_vain(tx, at, placed).await? => return Ok(false),
        None => {}
    }
    sqlx::query("delete from events where room = $1 and epoch = $2 and offset_no = $3")
        .bind(placed.record.room.0)
        .bind(i64::from(at.epoch))
        .bind(signed(at.offset))
        .execute(&mut *tx)
        .await?;
    put_in(tx, at, placed).await?;
    blank_if_gone(tx, at, placed).await?;
    Ok(true)
}

/// Is it what deleting leaves of the event?
fn is_blank_of(text: &str, body: &str) -> bool {
    let event = |text| serde_json::from_str::<Event>(text).ok();
    event(text).is_some() && event(text) == event(body).map(Event::without_text)
}

/// Was the message deleted whose text the record carries, or has it become too old?
async fn is_gone(tx: &mut Connection, at: Position, placed: &Placed) -> Result<bool, StoreError> {
    let room = placed.record.room;
    let Some(id) = placed.record.event.text_of() else { return Ok(false) };
    let posted = archive::posted_in_archive(tx, room, id).await?.map_or(at, |(posted, _)| posted);
    Ok(archive::deleted_at(tx, room, id).await?.is_some() || retention::expired_at(tx, room, posted).await?.is_some())
}

async fn is_buried(tx: &mut Connection, partition: u32, at: Position) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "select exists (
             select 1 from dead_letters where partition_no = $1 and epoch = $2 and offset_no = $3
         )",
    )
    .bind(i64::from(partition))
    .bind(i64::from(at.epoch))
    .bind(signed(at.offset))
    .fetch_one(tx)
    .await?)
}

async fn put_in(tx: &mut Connection, at: Position, placed: &Placed) -> Result<(), sqlx::Error> {
    bulk::insert_events(tx, &[rows::new_event(placed, at)]).await
}

/// What was deleted stays deleted, and what has become too old stays gone, whichever of the two comes later.
async fn blank_if_gone(tx: &mut Connection, at: Position, placed: &Placed) -> Result<(), StoreError> {
    let room = placed.record.room;
    let deleted = match &placed.record.event {
        Event::Known(KnownEvent::MessageDeleted { id, .. }, _) => Some(*id),
        Event::Known(KnownEvent::MessagesExpired { up_to }, _) => {
            retention::expire(tx, room, *up_to, at).await?;
            None
        }
        event if is_gone(tx, at, placed).await? => event.text_of(),
        _ => None,
    };
    if let Some(id) = deleted {
        archive::blank(tx, room, id).await?;
    }
    Ok(())
}
