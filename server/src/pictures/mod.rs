//! Pictures as browsers may show them: looked at, not believed, and cleared of what they say of who made them.
//!
//! PNG, JPEG, GIF and WebP, by their structure alone; no pixel is decoded here. What is not needed to show a picture goes:
//! the place and the time it was taken, the camera, comments, other pictures behind its end. The turn that a camera
//! wants it to be shown in stays.

mod exif;
mod gif;
mod jpeg;
mod png;
mod read;
mod webp;

use app::model::MAX_SIDE;

/// Most pixels: what a browser unpacks of a few bytes.
pub const MAX_PIXELS: u64 = 50_000_000;

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// What it is.
    pub media_type: &'static str,
    /// As it is to be seen, in pixels.
    pub width: u32,
    /// As it is to be seen, in pixels.
    pub height: u32,
    /// Cleared.
    pub content: Vec<u8>,
}

/// Why a picture is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It begins like a picture, and goes on like none. Shown as a file, it would keep what it says of its maker.
    #[error("this picture is damaged, or of an unknown kind")]
    Damaged,
    /// It has more than [`MAX_PIXELS`], or a side that is too long for an address.
    #[error("a picture may have 50 megapixels at most")]
    TooLarge,
}

/// What a reader of one kind found: width, height, and the cleared content.
type Cleared = (u32, u32, Vec<u8>);

/// The picture that these bytes are; `None`: they are something else.
///
/// # Errors
/// [`Refused`] if it is one, but one that nobody should get to see.
pub fn picture(bytes: &[u8]) -> Result<Option<Picture>, Refused> {
    type Reader = fn(&[u8]) -> Option<Cleared>;
    let (media_type, clear): (_, Reader) = match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => ("image/png", png::clear),
        [0xff, 0xd8, 0xff, ..] => ("image/jpeg", jpeg::clear),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => ("image/gif", gif::clear),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => ("image/webp", webp::clear),
        _ => return Ok(None),
    };
    let (width, height, content) = clear(bytes).ok_or(Refused::Damaged)?;
    if width == 0 || height == 0 {
        return Err(Refused::Damaged);
    }
    if width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Refused::TooLarge);
    }
    Ok(Some(Picture { media_type, width, height, content }))
}

/// Any bytes: a picture that was cleared is a picture of the same size, and clearing it again changes nothing.
pub(crate) fn fuzz(data: &[u8]) {
    if let Ok(Some(first)) = picture(data) {
        // A turn that was lost in other words is written anew, and a padding byte added: a few bytes.
        assert!(first.content.len() <= data.len() + 64);
        assert_eq!(picture(&first.content), Ok(Some(first.clone())));
    }
}

#[cfg(test)]
mod tests;
