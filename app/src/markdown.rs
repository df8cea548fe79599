//! What people write is Markdown: CommonMark with tables, tasks and strikethrough.

mod address;
mod read;

pub use read::{Piece, read};
