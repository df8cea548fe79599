//! WebP: chunks, each with its name and its length, padded to two bytes.
//! <https://developers.google.com/speed/webp/docs/riff_container>

use super::{
    Cleared, exif,
    read::{Bytes, little_u16, little_u32},
};

/// In the flags of what is called the extended format: there is Exif, there is XMP.
const HAS_EXIF: u8 = 0x08;
const HAS_XMP: u8 = 0x04;
/// How long a file can be that says how long it is.
const MAX_BYTES: usize = u32::MAX as usize - 16;

pub(super) fn clear(bytes: &[u8]) -> Option<Cleared> {
    let length = usize::try_from(little_u32(bytes, 4)?).ok()?;
    // Whatever stands behind its end is not the picture's.
    let mut rest = Bytes(bytes.get(12..length.checked_add(8)?)?);
    let mut content = bytes.get(..12)?.to_vec();
    content.reserve(bytes.len());
    let (mut size, mut extended, mut shown) = (None, None, false);
    while !rest.0.is_empty() {
        let chunk = rest.0;
        let length = usize::try_from(little_u32(rest.take(8)?, 4)?).ok()?;
        let body = rest.take(length)?;
        // The last one's padding is left out by some.
        rest.take((length & 1).min(rest.0.len()))?;
        match chunk.get(..4)? {
            b"VP8X" if size.is_none() => {
                size = Some((little_u24(body, 4)? + 1, little_u24(body, 7)? + 1));
                extended = Some(content.len() + 8);
            }
            b"VP8 " => (size, shown) = (size.or(Some(lossy(body)?)), true),
            b"VP8L" => (size, shown) = (size.or(Some(lossless(body)?)), true),
            b"ANMF" => shown = true,
            b"ICCP" | b"ANIM" | b"ALPH" => {}
            b"EXIF" => {
                let tiff = body.strip_prefix(b"Exif\0\0").unwrap_or(body);
                if let (Some(turn), Some(flags)) = (exif::orientation(tiff), extended)
                    && content.get(flags)? & HAS_EXIF == 0
                {
                    put(&mut content, b"EXIF", &exif::only(turn));
                    *content.get_mut(flags)? |= HAS_EXIF;
                }
                continue;
            }
            _ => continue,
        }
        size?;
        put(&mut content, chunk.first_chunk()?, body);
        if let Some(flags) = extended.filter(|_| chunk.starts_with(b"VP8X")) {
            *content.get_mut(flags)? &= !(HAS_EXIF | HAS_XMP);
        }
    }
    let length = u32::try_from(content.len().checked_sub(8).filter(|length| *length < MAX_BYTES)?).ok()?;
    content[4..8].copy_from_slice(&length.to_le_bytes());
    let (width, height) = size.filter(|_| shown)?;
    Some((width, height, content))
}

fn put(content: &mut Vec<u8>, name: &[u8; 4], body: &[u8]) {
    content.extend_from_slice(name);
    content.extend_from_slice(&u32::try_from(body.len()).unwrap_or(0).to_le_bytes());
    content.extend_from_slice(body);
    if body.len() % 2 == 1 {
        content.push(0);
    }
}

fn little_u24(bytes: &[u8], at: usize) -> Option<u32> {
    Some(little_u16(bytes, at)? | u32::from(*bytes.get(at + 2)?) << 16)
}

/// <https://www.rfc-editor.org/rfc/rfc6386#section-9.1>
fn lossy(body: &[u8]) -> Option<(u32, u32)> {
    let is_key = body.first()? & 1 == 0 && body.get(3..6)? == [0x9d, 0x01, 0x2a];
    let sides = (little_u16(body, 6)? & 0x3fff, little_u16(body, 8)? & 0x3fff);
    is_key.then_some(sides)
}

/// <https://www.rfc-editor.org/rfc/rfc9649#name-webp-lossless-bitstream>
fn lossless(body: &[u8]) -> Option<(u32, u32)> {
    let bits = little_u32(body, 1)?;
    (*body.first()? == 0x2f).then_some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
}
