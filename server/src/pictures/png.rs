//! PNG: chunks, each with its length, its name and a checksum. <https://www.w3.org/TR/png-3/>

use super::{
    Cleared, exif,
    read::{Bytes, big_u32},
};

/// What is needed to show it. Texts, times and whatever programs have added are not.
const KEPT: [&[u8; 4]; 20] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI",
    b"sBIT", b"bKGD", b"hIST", b"pHYs", b"sPLT", b"acTL", b"fcTL", b"fdAT",
];

pub(super) fn clear(bytes: &[u8]) -> Option<Cleared> {
    let mut rest = Bytes(bytes);
    let mut content = Vec::with_capacity(bytes.len());
    content.extend_from_slice(rest.take(8)?);
    let (mut size, mut data, mut turned) = (None, false, false);
    loop {
        let chunk = rest.0;
        let length = usize::try_from(big_u32(rest.take(8)?, 0)?).ok()?;
        let (body, _checksum) = (rest.take(length)?, rest.take(4)?);
        let (name, whole) = (chunk.get(4..8)?, chunk.get(..length + 12)?);
        if size.is_none() != (name == b"IHDR") {
            return None;
        }
        match name {
            b"IHDR" => {
                size = Some((big_u32(body, 0)?, big_u32(body, 4)?));
                content.extend_from_slice(whole);
            }
            b"eXIf" => {
                if let Some(turn) = exif::orientation(body).filter(|_| !turned) {
                    turned = true;
                    put(&mut content, b"eXIf", &exif::only(turn));
                }
            }
            kept if KEPT.iter().any(|name| *name == kept) => {
                data |= kept == b"IDAT";
                content.extend_from_slice(whole);
                if kept == b"IEND" {
                    break;
                }
            }
            _ => {}
        }
    }
    let (width, height) = size.filter(|_| data)?;
    Some((width, height, content))
}

fn put(content: &mut Vec<u8>, name: &[u8; 4], body: &[u8]) {
    let named = [name, body].concat();
    content.extend_from_slice(&u32::try_from(body.len()).unwrap_or(0).to_be_bytes());
    content.extend_from_slice(&named);
    content.extend_from_slice(&checksum(&named).to_be_bytes());
}

/// CRC-32, for the one short chunk that is written here.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 };
    !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // Of every PNG's last chunk.
        assert_eq!(super::checksum(b"IEND"), 0xae42_6082);
    }
}
