//! GIF: blocks, each of sub-blocks with their lengths. <https://www.w3.org/Graphics/GIF/spec-gif89a.txt>

use super::{
    Cleared,
    read::{Bytes, little_u16},
};

/// What programs have added that says how often pictures in a row are shown. Anything else of theirs goes.
const REPEATS: [&[u8; 11]; 2] = [b"NETSCAPE2.0", b"ANIMEXTS1.0"];

pub(super) fn clear(bytes: &[u8]) -> Option<Cleared> {
    let mut rest = Bytes(bytes);
    let mut content = Vec::with_capacity(bytes.len());
    let screen = rest.take(13)?;
    content.extend_from_slice(screen);
    content.extend_from_slice(rest.take(table(screen[10]))?);
    let (mut width, mut height) = (little_u16(screen, 6)?, little_u16(screen, 8)?);
    let mut shown = false;
    loop {
        let block = rest.0;
        let kept = match rest.byte() {
            // A picture.
            Some(0x2c) => {
                shown = true;
                let head = rest.take(9)?;
                // Some browsers make room for a picture that is larger than the screen it says it is for.
                width = width.max(little_u16(head, 0)? + little_u16(head, 4)?);
                height = height.max(little_u16(head, 2)? + little_u16(head, 6)?);
                rest.take(table(head[8]) + 1)?;
                sub_blocks(&mut rest)?;
                true
            }
            // An extension: how a picture is shown, or how often all are.
            Some(0x21) => {
                let kind = rest.byte()?;
                let first = rest.0.get(1..12);
                sub_blocks(&mut rest)?;
                kind == 0xf9 || (kind == 0xff && first.is_some_and(|name| REPEATS.iter().any(|known| name == *known)))
            }
            // The end; one that breaks off before it is shown by browsers as far as it goes.
            Some(0x3b) | None => break,
            Some(_) => return None,
        };
        if kept {
            content.extend_from_slice(&block[..block.len() - rest.0.len()]);
        }
    }
    content.push(0x3b);
    shown.then_some((width, height, content))
}

/// How long the table of colours is that these flags tell of.
fn table(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

fn sub_blocks(rest: &mut Bytes<'_>) -> Option<()> {
    loop {
        match rest.byte()? {
            0 => return Some(()),
            length => rest.take(length.into())?,
        };
    }
}
