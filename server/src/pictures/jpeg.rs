//! JPEG: segments, each a marker with its length, and between them the picture's data.
//! <https://www.w3.org/Graphics/JPEG/itu-t81.pdf>, annex B.

use super::{
    Cleared, exif,
    read::{Bytes, big_u16},
};

const END: u8 = 0xd9;
const SCAN: u8 = 0xda;

pub(super) fn clear(bytes: &[u8]) -> Option<Cleared> {
    let mut rest = Bytes(bytes);
    let begin = rest.take(2)?;
    let (mut kept, mut size, mut turn) = (Vec::with_capacity(bytes.len()), None, None);
    let mut scanned = false;
    while let Some(marker) = marker(&mut rest, scanned)? {
        let length = usize::try_from(big_u16(rest.0, 0)?).ok()?;
        let segment = rest.take(length)?;
        let content = segment.get(2..)?;
        match marker {
            0xe1 => turn = turn.or_else(|| exif::orientation(content.strip_prefix(b"Exif\0\0")?)),
            _ if is_kept(marker, content) => {
                if is_frame(marker) {
                    if size.is_some() {
                        return None;
                    }
                    size = Some((big_u16(content, 3)?, big_u16(content, 1)?));
                }
                kept.extend_from_slice(&[0xff, marker]);
                kept.extend_from_slice(segment);
            }
            _ => {}
        }
        if marker == SCAN {
            size?;
            scanned = true;
            kept.extend_from_slice(rest.take(data(rest.0))?);
        }
    }
    let (width, height) = size.filter(|_| scanned)?;
    let mut content = begin.to_vec();
    content.reserve(kept.len() + 64);
    let kept = match turn {
        Some(turn) => {
            // What says it is a JPEG file stays the first, as readers want it.
            let first =
                if kept.starts_with(&[0xff, 0xe0]) { 2 + usize::try_from(big_u16(&kept, 2)?).ok()? } else { 0 };
            let (jfif, others) = kept.split_at_checked(first)?;
            content.extend_from_slice(jfif);
            content.extend_from_slice(b"\xff\xe1\0\x22Exif\0\0");
            content.extend_from_slice(&exif::only(turn));
            others
        }
        None => &kept,
    };
    content.extend_from_slice(kept);
    content.extend_from_slice(&[0xff, END]);
    let (width, height) = if exif::lies(turn) { (height, width) } else { (width, height) };
    Some((width, height, content))
}

/// The next marker; `Some(None)` at the end, where nothing that follows is looked at. One that breaks off in the middle
/// of its data is shown by browsers as far as it goes.
fn marker(rest: &mut Bytes<'_>, scanned: bool) -> Option<Option<u8>> {
    if rest.0.is_empty() && scanned {
        return Some(None);
    }
    if rest.byte()? != 0xff {
        return None;
    }
    loop {
        match rest.byte() {
            // Any number of them may stand before a marker.
            Some(0xff) => {}
            Some(END) => return Some(None),
            None if scanned => return Some(None),
            // Nothing that has no length has a business here.
            None | Some(0x00..=0xbf | 0xd0..=0xd8) => return None,
            Some(marker) => return Some(Some(marker)),
        }
    }
}

/// The size of the picture is said here; but for 0xc4, 0xc8 and 0xcc, which are tables.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

/// Needed to show it: tables, frames and scans, and of what programs have added, colours.
fn is_kept(marker: u8, content: &[u8]) -> bool {
    match marker {
        0xc0..=0xdf => true,
        0xe0 => content.starts_with(b"JFIF\0"),
        0xe2 => content.starts_with(b"ICC_PROFILE\0"),
        0xee => content.starts_with(b"Adobe"),
        _ => false,
    }
}

/// How long the data of a scan is: up to a marker that is not part of it.
fn data(bytes: &[u8]) -> usize {
    let marker = bytes.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7));
    marker.unwrap_or(bytes.strip_suffix(&[0xff]).unwrap_or(bytes).len())
}
