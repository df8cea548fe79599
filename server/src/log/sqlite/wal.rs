//! Before SQLite looks at the write-ahead log: is it torn at its end, or damaged before?
//!
//! When SQLite finds a bad frame, it drops that frame and all that follow, and
//! says nothing. At the end of the file that is right: a transaction that a
//! crash cut short was never acknowledged. Before the end it would drop
//! acknowledged entries. As each commit is synced before the next one is
//! written, a transaction that follows the bad one proves that the bad one was
//! whole once.
//!
//! The form of the file: <https://www.sqlite.org/fileformat2.html#walformat>.

use crate::log::LogError;
use std::{io::ErrorKind, path::Path};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Refuses a write-ahead log that is damaged before its last transaction.
pub(super) fn examine(database: &Path) -> Result<(), LogError> {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    let bytes = match std::fs::read(&name) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(LogError::Broken(format!("{}: {e}", Path::new(&name).display()))),
    };
    match damage(&bytes) {
        None => Ok(()),
        Some(at) => Err(LogError::Broken(format!(
            "{}: damaged at byte {at}, before entries that were acknowledged",
            Path::new(&name).display()
        ))),
    }
}

/// Where a bad frame lies that a later transaction follows.
fn damage(wal: &[u8]) -> Option<usize> {
    let header = wal.get(..HEADER)?;
    let little_endian = match word(header, 0) {
        0x377f_0682 => true,
        0x377f_0683 => false,
        // Not a header: if anything follows it, something was there.
        _ => return (wal.len() > HEADER && wal[HEADER..].iter().any(|b| *b != 0)).then_some(0),
    };
    let page = word(header, 8) as usize;
    let mut sum = checksum([0, 0], &header[..24], little_endian);
    if sum != [word(header, 24), word(header, 28)] || page == 0 {
        return (wal.len() > HEADER).then_some(0);
    }
    let mut bad = None;
    for (index, frame) in wal[HEADER..].chunks_exact(FRAME_HEADER + page).enumerate() {
        // Frames of an earlier round of the log have other salts: the present round ends before them.
        let present = frame[8..16] == header[16..24];
        if !present {
            if bad.is_none() {
                // Either the end, or a frame whose salts are damaged: the frames behind it will tell.
                bad = Some((index, false));
            }
            continue;
        }
        let stored = [word(frame, 16), word(frame, 20)];
        sum = checksum(checksum(sum, &frame[..8], little_endian), &frame[FRAME_HEADER..], little_endian);
        let commits = word(frame, 4) != 0;
        match &mut bad {
            None if sum != stored => bad = Some((index, commits)),
            None => {}
            // The bad frame's transaction is complete, and another one follows.
            Some((index, true)) => return Some(HEADER + *index * (FRAME_HEADER + page)),
            Some((_, complete)) => *complete = commits,
        }
        sum = stored;
    }
    None
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// SQLite's own: two sums over pairs of words, continued from the frame before.
fn checksum([mut a, mut b]: [u32; 2], bytes: &[u8], little_endian: bool) -> [u32; 2] {
    let word = |bytes: &[u8]| {
        let bytes = bytes.try_into().expect("four bytes");
        if little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    };
    for pair in bytes.chunks_exact(8) {
        a = a.wrapping_add(word(&pair[..4])).wrapping_add(b);
        b = b.wrapping_add(word(&pair[4..])).wrapping_add(a);
    }
    [a, b]
}
