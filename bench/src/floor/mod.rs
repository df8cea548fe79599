//! What each thing costs without a chat around it: the least that anybody could do, on this machine and in this run.

pub mod commit;
pub mod kafka;
pub mod rows;
pub mod send;

/// A record of Partyline's log with 128 bytes of text, about; all but the text is ids, the author and field names.
pub const RECORD_BYTES: usize = 640;
