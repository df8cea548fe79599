//! What a camera says of a picture: all of it goes but how it was held.
//!
//! Exif is a TIFF file without a picture: a byte order, and a table of twelve bytes an entry.
//! <https://www.cipa.jp/std/documents/download_e.html?DC-008-Translation-2023-E>

use super::read::{big_u16, big_u32, little_u16, little_u32};

/// The entry that says which way is up: 1 to 8, where 1 is as it is.
const ORIENTATION: u32 = 0x0112;
/// A number of two bytes.
const SHORT: u32 = 3;
/// A table has few entries; more are somebody's trick.
const MAX_ENTRIES: u32 = 1_000;

/// Which way is up, if it is said and is not the usual.
pub(super) fn orientation(tiff: &[u8]) -> Option<u8> {
    type Number = fn(&[u8], usize) -> Option<u32>;
    let (short, long): (Number, Number) = match tiff.get(..4)? {
        b"II*\0" => (little_u16, little_u32),
        b"MM\0*" => (big_u16, big_u32),
        _ => return None,
    };
    let table = usize::try_from(long(tiff, 4)?).ok()?;
    for entry in 0..short(tiff, table)?.min(MAX_ENTRIES) {
        let at = table.checked_add(2 + 12 * usize::try_from(entry).ok()?)?;
        if short(tiff, at)? == ORIENTATION {
            let value = short(tiff, at + 8)?;
            let usual = short(tiff, at + 2)? != SHORT || !(2..=8).contains(&value);
            return if usual { None } else { u8::try_from(value).ok() };
        }
    }
    None
}

/// Nothing but which way is up.
pub(super) fn only(orientation: u8) -> [u8; 26] {
    let mut tiff = *b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
    tiff[19] = orientation;
    tiff
}

/// It is to be shown lying: its height is its width.
pub(super) fn lies(orientation: Option<u8>) -> bool {
    orientation.is_some_and(|turn| turn >= 5)
}
