//! Files. Which of them messages name, the tables see to by themselves (`migrations/`): it follows from what the
//! messages say, whoever writes them.

use super::Connection;
use crate::store::{
    FileRow, NewFile, PART_BYTES, StoreError,
    row::{signed, unsigned},
};
use app::model::{FileId, Millis, RoomId};
use bytes::Bytes;
use uuid::Uuid;

pub(super) async fn save(tx: &mut Connection, new: &NewFile) -> Result<(), StoreError> {
    sqlx::query(
        "insert into files (id, room, uploader, address, media_type, bytes, created_at, unnamed_since)
         values ($1, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(new.address.id.0)
    .bind(new.room.0)
    .bind(new.uploader.0)
    .bind(new.address.to_string())
    .bind(&new.media_type)
    .bind(signed(new.content.len() as u64))
    .bind(new.created_at)
    .execute(&mut *tx)
    .await?;
    for (part, content) in (0_i64..).zip(new.content.chunks(PART_BYTES)) {
        sqlx::query("insert into file_parts (file, part, content) values ($1, $2, $3)")
            .bind(new.address.id.0)
            .bind(part)
            .bind(content)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

pub(super) async fn one(conn: &mut Connection, id: FileId) -> Result<Option<FileRow>, StoreError> {
    let row: Option<(Uuid, String, String, i64)> =
        sqlx::query_as("select room, address, media_type, bytes from files where id = $1")
            .bind(id.0)
            .fetch_optional(conn)
            .await?;
    row.map(|(room, address, media_type, bytes)| {
        let address = address.parse().map_err(|e| StoreError::Broken(format!("the address of the file {id}: {e}")))?;
        Ok(FileRow { id, room: RoomId(room), address, media_type, bytes: unsigned(bytes) })
    })
    .transpose()
}

pub(super) async fn part(conn: &mut Connection, id: FileId, part: u32) -> Result<Option<Bytes>, StoreError> {
    let content: Option<Vec<u8>> = sqlx::query_scalar("select content from file_parts where file = $1 and part = $2")
        .bind(id.0)
        .bind(i64::from(part))
        .fetch_optional(conn)
        .await?;
    Ok(content.map(Bytes::from))
}

pub(super) async fn forget(tx: &mut Connection, unnamed_before: Millis, limit: u32) -> Result<u32, StoreError> {
    // `message is null` once more: in between a message may have named it.
    let gone = sqlx::query(
        "delete from files where message is null and id in (
             select id from files where message is null and unnamed_since < $1 order by unnamed_since limit $2
         )",
    )
    .bind(unnamed_before)
    .bind(i64::from(limit))
    .execute(tx)
    .await?;
    Ok(u32::try_from(gone.rows_affected()).unwrap_or(u32::MAX))
}
