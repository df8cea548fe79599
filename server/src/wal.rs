//! Before SQLite looks at a file of ours: is its write-ahead log torn at its
//! end, or damaged before? And is the file as long as it says?
//!
//! When SQLite finds a bad frame, it drops that frame and all that follow, and
//! says nothing. At the end that is right: a transaction that a crash cut short
//! was never acknowledged. Before the end it would drop what was. As each commit
//! is synced before the next one is written, a transaction that follows the bad
//! one proves that the bad one was whole once.
//!
//! The form of the files: <https://www.sqlite.org/fileformat2.html>.

use std::{collections::HashSet, io::ErrorKind, path::Path};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Finds what SQLite would not notice.
///
/// # Errors
/// The file and the place that is damaged.
pub(crate) fn examine(database: &Path) -> Result<(), String> {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    let wal_file = Path::new(&name);
    let wal = match std::fs::read(wal_file) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(format!("{}: {e}", wal_file.display())),
    };
    let found = read(&wal);
    if let Some(at) = found.damage {
        return Err(format!("{}: damaged at byte {at}, before what was acknowledged", wal_file.display()));
    }
    match cut_short(database, &found.pages).map_err(|e| format!("{}: {e}", database.display()))? {
        None => Ok(()),
        Some(at) => Err(format!("{}: it ends at byte {at}, and should be longer", database.display())),
    }
}

/// What a write-ahead log holds.
#[derive(Default)]
struct Found {
    /// Where a bad frame lies that a later transaction follows.
    damage: Option<usize>,
    /// The pages that its whole transactions write.
    pages: HashSet<u32>,
}

fn read(wal: &[u8]) -> Found {
    let mut found = Found::default();
    let Some(header) = wal.get(..HEADER) else { return found };
    let little_endian = match word(header, 0) {
        0x377f_0682 => Some(true),
        0x377f_0683 => Some(false),
        _ => None,
    };
    let page = word(header, 8) as usize;
    let mut sum = checksum([0, 0], &header[..24], little_endian.unwrap_or_default());
    if little_endian.is_none() || sum != [word(header, 24), word(header, 28)] || page == 0 {
        // Not a header. If anything follows it, something was there.
        found.damage = wal[HEADER..].iter().any(|b| *b != 0).then_some(0);
        return found;
    }
    let little_endian = little_endian.unwrap_or_default();
    let mut bad = None;
    // Of the transaction that is being read.
    let mut pages = Vec::new();
    // What the frame before ended with, as it says and as it should, if it ended a transaction.
    let mut ended = None;
    for (index, frame) in wal[HEADER..].chunks_exact(FRAME_HEADER + page).enumerate() {
        // Frames of an earlier round of the log have other salts.
        let present = frame[8..16] == header[16..24];
        let stored = [word(frame, 16), word(frame, 20)];
        let after = |sum| checksum(checksum(sum, &frame[..8], little_endian), &frame[FRAME_HEADER..], little_endian);
        let computed = after(sum);
        let commits = word(frame, 4) != 0;
        match bad {
            None if present && computed == stored => {
                pages.push(word(frame, 0));
                if commits {
                    found.pages.extend(pages.drain(..));
                }
                sum = stored;
                continue;
            }
            None => bad = Some(index),
            // A frame that continues a transaction's end is a later transaction's. What failed transactions have left
            // behind does not: each of them began where the last good one ended, so none continues another.
            Some(at) => {
                if let Some(ends) = ended
                    && present
                    && <[_; 2]>::into_iter(ends).any(|end| after(end) == stored)
                {
                    found.damage = Some(HEADER + at * (FRAME_HEADER + page));
                    return found;
                }
            }
        }
        // The bad frame's own salts and sums may be what is damaged.
        let first = bad == Some(index);
        ended = (commits && (present || first)).then_some([stored, if first { computed } else { stored }]);
        sum = stored;
    }
    found
}

/// Where the database file ends, if it lacks pages that it says it has and that the write-ahead log does not hold.
fn cut_short(database: &Path, in_wal: &HashSet<u32>) -> std::io::Result<Option<u64>> {
    use std::io::Read;
    let mut header = [0; 100];
    let length = match std::fs::File::open(database) {
        Ok(mut file) => {
            let length = file.metadata()?.len();
            if length < 100 {
                // Nothing yet, or nothing that SQLite would take.
                return Ok(None);
            }
            file.read_exact(&mut header)?;
            length
        }
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let page = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        1 => 65_536,
        page => page,
    };
    // Only if these two agree does the number of pages count.
    if page < 512 || word(&header, 24) != word(&header, 92) {
        return Ok(None);
    }
    let there = length / page;
    let lacks =
        (there + 1..=u64::from(word(&header, 28))).any(|n| !u32::try_from(n).is_ok_and(|n| in_wal.contains(&n)));
    Ok(lacks.then_some(length))
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

/// A write-ahead log of any bytes, for [`crate::fuzz`].
pub(crate) fn fuzz(data: &[u8]) {
    if let Some(at) = read(data).damage {
        assert!(at < data.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 512;

    fn header() -> Vec<u8> {
        let mut wal: Vec<u8> =
            [0x377f_0683_u32, 3_007_000, PAGE as u32, 0, 7, 8].iter().flat_map(|w| w.to_be_bytes()).collect();
        let sum = checksum([0, 0], &wal, false);
        wal.extend(sum.iter().flat_map(|w| w.to_be_bytes()));
        wal
    }

    fn sum_at_the_end(wal: &[u8]) -> [u32; 2] {
        let frames = wal.len() > HEADER;
        let at = if frames { wal.len() - PAGE - 8 } else { HEADER - 8 };
        [word(wal, at), word(wal, at + 4)]
    }

    /// A transaction that begins where these frames end.
    fn transaction(before: &[u8], pages: &[u32]) -> Vec<u8> {
        let (mut sum, mut frames) = (sum_at_the_end(before), Vec::new());
        for (index, page) in pages.iter().enumerate() {
            let commits = u32::from(index + 1 == pages.len()) * 9;
            let begin: Vec<u8> = [*page, commits].iter().flat_map(|w| w.to_be_bytes()).collect();
            let content: Vec<u8> = (0..PAGE).map(|n| (n as u32 * page % 251) as u8 ^ pages.len() as u8).collect();
            sum = checksum(checksum(sum, &begin, false), &content, false);
            frames.extend(begin);
            frames.extend([7_u32, 8, sum[0], sum[1]].iter().flat_map(|w| w.to_be_bytes()));
            frames.extend(content);
        }
        frames
    }

    const FRAME: usize = FRAME_HEADER + PAGE;

    fn three_transactions() -> Vec<u8> {
        let mut wal = header();
        for pages in [&[1, 2][..], &[3], &[2, 4, 5]] {
            let next = transaction(&wal, pages);
            wal.extend(next);
        }
        wal
    }

    #[test]
    fn each_damaged_byte_before_the_last_transaction_is_found_and_its_frame_named() {
        let whole = three_transactions();
        assert_eq!(read(&whole).damage, None);
        assert_eq!(read(&whole).pages, HashSet::from([1, 2, 3, 4, 5]));
        for at in 0..HEADER + 2 * FRAME {
            let mut wal = whole.clone();
            wal[at] ^= 1;
            // The file's own word for its version is not looked at by anybody, but summed.
            let named = if at < HEADER { 0 } else { (at - HEADER) / FRAME * FRAME + HEADER };
            assert_eq!(read(&wal).damage, Some(named), "byte {at}");
        }
    }

    #[test]
    fn a_torn_end_is_no_damage() {
        let whole = three_transactions();
        for length in HEADER + 3 * FRAME..whole.len() {
            let found = read(&whole[..length]);
            assert_eq!((found.damage, found.pages), (None, HashSet::from([1, 2, 3])), "{length} bytes");
        }
        // Sectors reach the disk in any order: the last transaction's end without its beginning.
        let mut wal = whole.clone();
        wal[HEADER + 3 * FRAME..HEADER + 4 * FRAME].fill(0);
        assert_eq!(read(&wal).damage, None);
    }

    #[test]
    fn what_failed_transactions_have_left_behind_is_no_damage() {
        let mut wal = header();
        let good = transaction(&wal, &[1, 2]);
        wal.extend(good);
        // Each was written where the good one ends, and failed; the next one overwrote its beginning.
        let place = wal.len();
        for pages in [&[3, 4, 5, 6, 7][..], &[3, 4, 5], &[3, 4], &[9]] {
            let failed = transaction(&wal[..place], pages);
            if wal.len() < place + failed.len() {
                wal.resize(place + failed.len(), 0);
            }
            wal[place..place + failed.len()].copy_from_slice(&failed);
        }
        let found = read(&wal);
        assert_eq!((found.damage, found.pages), (None, HashSet::from([1, 2, 9])));
    }
}
