//! How far each partition was acknowledged, in a file of its own beside the log.
//!
//! SQLite takes a damaged last transaction for one that a crash cut short, and a
//! log whose tail is gone for a shorter log. This note says otherwise: it is
//! written after the commit and before the acknowledgement, so it is never ahead
//! of what is on the disk. It is not synced: after a power cut it may be behind,
//! and then the last entries are as safe as SQLite makes them.

use super::examine::{broken, checksum};
use crate::log::LogError;
use std::{
    fs::File,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const FILE: &str = "log.acknowledged";
const MAGIC: &[u8; 8] = b"acked 1\n";
/// Two places, written in turn: one is whole whatever happens to the other.
const SLOT: u64 = 128 * 1024;
/// What a place has room for.
pub(super) const MAX_PARTITIONS: usize = 8_192;

pub(super) struct Acknowledged {
    file: File,
    path: PathBuf,
    round: u64,
    /// The last writing failed: said once.
    failing: bool,
}

impl Acknowledged {
    /// Opens the note of a folder, and what it says.
    pub fn open(dir: &Path) -> Result<(Self, Vec<u64>), LogError> {
        let path = dir.join(FILE);
        let file = File::options().create(true).truncate(false).read(true).write(true).mode(0o600).open(&path);
        let file = file.map_err(|e| broken(&path, &e))?;
        let newest = [0, 1].into_iter().filter_map(|slot| read(&file, slot)).max();
        let (round, ends) = newest.unwrap_or_default();
        Ok((Self { file, path, round, failing: false }, ends))
    }

    /// Takes the places on the disk, so that a full one does not matter later.
    pub fn prepare(&mut self, ends: &[u64]) -> Result<(), LogError> {
        let written = self.write(ends).and_then(|()| self.write(ends)).and_then(|()| self.file.sync_all());
        written.map_err(|e| broken(&self.path, &e))
    }

    /// Everything before these offsets is on the disk.
    pub fn note(&mut self, ends: &[u64]) {
        let failed = self.write(ends).err();
        if let Some(error) = &failed
            && !self.failing
        {
            tracing::warn!(%error, file = %self.path.display(), "how far the log was acknowledged cannot be noted");
        }
        self.failing = failed.is_some();
    }

    fn write(&mut self, ends: &[u64]) -> std::io::Result<()> {
        self.round += 1;
        let mut bytes = Vec::with_capacity(32 + 8 * ends.len());
        bytes.extend(MAGIC);
        bytes.extend(self.round.to_le_bytes());
        bytes.extend((ends.len() as u64).to_le_bytes());
        for end in ends {
            bytes.extend(end.to_le_bytes());
        }
        bytes.extend(checksum(&bytes).to_le_bytes());
        self.file.write_all_at(&bytes, self.round % 2 * SLOT)
    }
}

/// Takes the note away.
pub(super) fn remove(dir: &Path) -> Result<(), LogError> {
    let path = dir.join(FILE);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(broken(&path, &e)),
        _ => Ok(()),
    }
}

fn read(file: &File, slot: u64) -> Option<(u64, Vec<u64>)> {
    let mut head = [0; 24];
    file.read_exact_at(&mut head, slot * SLOT).ok()?;
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let (round, count) = (number(&head[8..16]), number(&head[16..24]));
    let count = usize::try_from(count).ok().filter(|count| *count <= MAX_PARTITIONS)?;
    let mut bytes = vec![0; 24 + 8 * count + 8];
    file.read_exact_at(&mut bytes, slot * SLOT).ok()?;
    let (content, sum) = bytes.split_at(24 + 8 * count);
    let whole = content.starts_with(MAGIC) && checksum(content).to_le_bytes() == *sum;
    whole.then(|| (round, content[24..].chunks_exact(8).map(number).collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn whatever_byte_is_damaged_the_note_says_what_was_true_or_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (mut note, none) = Acknowledged::open(dir.path()).unwrap();
        assert!(none.is_empty());
        note.note(&[6, 1]);
        note.note(&[7, 1]);
        let whole = std::fs::read(dir.path().join(FILE)).unwrap();
        let there: Vec<usize> = (0..48).chain(SLOT as usize..whole.len()).collect();
        for at in there {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            std::fs::write(dir.path().join(FILE), bytes).unwrap();
            let (_, ends) = Acknowledged::open(dir.path()).unwrap();
            assert!(ends == [6, 1] || ends == [7, 1], "byte {at}: {ends:?}");
        }
        for length in 0..whole.len() {
            if length > 60 && length < SLOT as usize - 8 {
                continue;
            }
            std::fs::write(dir.path().join(FILE), &whole[..length]).unwrap();
            let (_, ends) = Acknowledged::open(dir.path()).unwrap();
            assert!(ends.is_empty() || ends == [6, 1] || ends == [7, 1], "cut at {length}: {ends:?}");
        }
    }
}
