//! Files as a store keeps them: what is known of one, and its content in pieces.

use app::model::{FileAddress, FileId, Millis, RoomId, UserId};

/// Longest piece of a file's content, in bytes: what a node holds of a file that it sends.
pub const PART_BYTES: usize = 128 * 1024;

/// A file to be kept.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Its room: who may read that may read it.
    pub room: RoomId,
    /// Who has uploaded it. Only their messages name it.
    pub uploader: UserId,
    /// Where it is, and so its id and its name.
    pub address: FileAddress,
    /// What it is served as.
    pub media_type: String,
    /// When.
    pub created_at: Millis,
    /// All of it.
    pub content: Vec<u8>,
}

/// A file that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRow {
    /// Which.
    pub id: FileId,
    /// Its room.
    pub room: RoomId,
    /// Where it is.
    pub address: FileAddress,
    /// What it is served as.
    pub media_type: String,
    /// How long it is.
    pub bytes: u64,
}
