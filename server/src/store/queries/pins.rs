//! What rooms keep in view.

use super::{
    Connection, Row,
    messages::{MessageRow, message_columns},
    progress,
};
use crate::store::{RoomRow, StoreError, row::signed};
use app::model::{MAX_PINS, MessageId, Millis, Pin, PinList, Position, RoomId, User, UserId};
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

/// Those who pin at the same moment may come to more than there should be.
const MOST: i64 = 2 * MAX_PINS as i64;

/// One statement, so that the rows and the progress are of one moment.
pub(super) const OF: &str = concat!(
    "select meta.epoch as log_epoch, progress.next_offset as log_next, pinned.*
     from meta
     left join progress on progress.partition_no = $2
     left join (
         select p.epoch as pin_epoch, p.offset_no as pin_offset, p.pinned_at, pinner.id as by_id,
                pinner.username as by_username, pinner.display_name as by_display_name,
                pinner.guest as by_guest, pinner.admin as by_admin, ",
    message_columns!(),
    " from pins p ",
    join_in_turn!(),
    " messages m on m.room = p.room and m.id = p.message and not m.deleted
      join accounts a on a.id = m.author
      join accounts pinner on pinner.id = p.account
      where p.room = $1 order by p.epoch desc, p.offset_no desc limit $3
     ) as pinned on true
     order by pinned.pin_epoch desc, pinned.pin_offset desc"
);

pub(super) async fn of(conn: &mut Connection, room: &RoomRow) -> Result<PinList, StoreError> {
    let rows: Vec<PinRow> =
        sqlx::query_as(OF).bind(room.id.0).bind(i64::from(room.partition)).bind(MOST).fetch_all(conn).await?;
    let at = rows.first().map_or(Position::START, |row| row.folded_to);
    let pin =
        |(message, by, pinned_at): (MessageRow, User, Millis)| Ok(Pin { message: message.try_into()?, by, pinned_at });
    let pins = rows.into_iter().filter_map(|row| row.pin).map(pin).collect::<Result<_, StoreError>>()?;
    Ok(PinList { pins, at })
}

struct PinRow {
    folded_to: Position,
    /// `None`: the list is empty.
    pin: Option<(MessageRow, User, Millis)>,
}

impl FromRow<'_, Row> for PinRow {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let folded_to = progress::folded_to(row.try_get("log_epoch")?, row.try_get("log_next")?);
        let Some(pinned_at) = row.try_get("pinned_at")? else { return Ok(Self { folded_to, pin: None }) };
        let by = User {
            id: UserId(row.try_get::<Uuid, _>("by_id")?),
            username: row.try_get("by_username")?,
            display_name: row.try_get("by_display_name")?,
            guest: row.try_get("by_guest")?,
            admin: row.try_get("by_admin")?,
        };
        Ok(Self { folded_to, pin: Some((MessageRow::from_row(row)?, by, pinned_at)) })
    }
}

/// The first pin stands. What is not there, or not any more, is not pinned.
pub(super) async fn pin(
    tx: &mut Connection,
    room: RoomId,
    id: MessageId,
    (by, pinned_at, at): (UserId, Millis, Position),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into pins (room, message, account, pinned_at, epoch, offset_no)
         select $1, $2, $3, $4, $5, $6
         where exists (select 1 from messages where room = $1 and id = $2 and not deleted)
         on conflict (room, message) do nothing",
    )
    .bind(room.0)
    .bind(id.0)
    .bind(by.0)
    .bind(pinned_at)
    .bind(i64::from(at.epoch))
    .bind(signed(at.offset))
    .execute(tx)
    .await?;
    Ok(())
}

/// Also what becomes of a message that is deleted.
pub(super) async fn unpin(tx: &mut Connection, room: RoomId, id: MessageId) -> Result<(), sqlx::Error> {
    sqlx::query("delete from pins where room = $1 and message = $2").bind(room.0).bind(id.0).execute(tx).await?;
    Ok(())
}
