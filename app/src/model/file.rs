//! Files that messages name: how they are called, and the one address that each has.

use super::{FileId, Invalid};
use crate::url;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Largest file, in bytes.
pub const MAX_FILE_BYTES: usize = 10 * 1024 * 1024;
/// Longest name of a file, in characters.
pub const MAX_FILE_NAME_CHARS: usize = 80;
/// Longest ending of a name that outlives shortening, in characters with its dot.
const MAX_ENDING_CHARS: usize = 10;
/// Most pixels of a picture on either side.
pub const MAX_SIDE: u32 = 65_535;
/// How large a message shows a picture, in CSS pixels: width and height.
const SHOWN: (u32, u32) = (640, 360);

/// What a file is called: 1 to 80 characters on one line, without folders, none of them invisible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// The nearest name to what somebody's computer calls the file. There always is one.
    pub fn nearest(text: &str) -> Self {
        let last = text.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or_default();
        let seen: String = last.chars().filter(|c| !is_unseen(*c)).collect();
        let words = seen.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = shortened(words.trim_end_matches(['.', ' ']));
        Self(if name.is_empty() { "file".into() } else { name })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Controls, and what turns the direction of writing or takes no room: a name is to be what it looks like.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Keeps the ending, which says what the file is.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    if length <= MAX_FILE_NAME_CHARS {
        return name.to_owned();
    }
    let ending = name.rfind('.').map_or("", |dot| &name[dot..]);
    let ending = if ending.chars().count() <= MAX_ENDING_CHARS { ending } else { "" };
    let begin: String = name.chars().take(MAX_FILE_NAME_CHARS - ending.chars().count()).collect();
    format!("{}{ending}", begin.trim_end_matches(['.', ' ']))
}

/// Where a file is: `/files/<id>/<name>`, and of a picture that can be shown `/files/<id>/<width>x<height>/<name>`.
///
/// A file has one address, and one text is that address: what can be read is written in the same way again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAddress {
    /// Which.
    pub id: FileId,
    /// Width and height of a picture, in pixels, as it is to be seen.
    pub size: Option<(u32, u32)>,
    /// What it is called.
    pub name: FileName,
}

impl FileAddress {
    /// The name as it stands in the address.
    pub fn encoded_name(&self) -> String {
        url::encode(self.name.as_str())
    }

    /// What a message's text says to show the picture, or to link to the file.
    pub fn markdown(&self) -> String {
        let mut label = String::new();
        for c in self.name.as_str().chars() {
            if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '~' | '|' | '!') {
                label.push('\\');
            }
            label.push(c);
        }
        format!("{}[{label}]({self})", if self.size.is_some() { "!" } else { "" })
    }

    /// How large a message shows the picture, in CSS pixels: the browser keeps the place before the picture is there.
    pub fn shown_size(&self) -> Option<(u32, u32)> {
        let (width, height) = self.size?;
        let (mut shown_width, mut shown_height) = (u64::from(width), u64::from(height));
        let (most_width, most_height) = (u64::from(SHOWN.0), u64::from(SHOWN.1));
        if shown_height > most_height {
            (shown_width, shown_height) = (shown_width * most_height / shown_height, most_height);
        }
        if shown_width > most_width {
            (shown_width, shown_height) = (most_width, shown_height * most_width / shown_width);
        }
        let small = |side: u64| u32::try_from(side.max(1)).unwrap_or(1);
        Some((small(shown_width), small(shown_height)))
    }
}

impl fmt::Display for FileAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/files/{}/", self.id)?;
        if let Some((width, height)) = self.size {
            write!(f, "{width}x{height}/")?;
        }
        f.write_str(&self.encoded_name())
    }
}

impl FromStr for FileAddress {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        const RULE: Invalid = Invalid("not the address of a file");
        let mut parts = text.strip_prefix("/files/").ok_or(RULE)?.split('/');
        let id = parts.next().and_then(|id| id.parse().ok()).ok_or(RULE)?;
        let (first, second) = (parts.next().ok_or(RULE)?, parts.next());
        let (size, name) = match second {
            Some(name) => (Some(sides(first).ok_or(RULE)?), name),
            None => (None, first),
        };
        let address = Self { id, size, name: FileName::nearest(&url::decode(name)) };
        if parts.next().is_none() && address.to_string() == text { Ok(address) } else { Err(RULE) }
    }
}

fn sides(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    let side = |text: &str| text.parse().ok().filter(|side| (1..=MAX_SIDE).contains(side));
    Some((side(width)?, side(height)?))
}

/// A file that the server keeps, as it answers an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uploaded {
    /// Which.
    pub id: FileId,
    /// Its [`FileAddress`] on this site.
    pub url: String,
    /// What it is called.
    pub name: String,
    /// What it is served as.
    pub media_type: String,
    /// How long it is, as it is kept.
    pub bytes: u64,
    /// Of a picture, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Of a picture, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// What a message says to show it.
    pub markdown: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "01900000-0000-7000-8000-000000000001";

    fn picture(width: u32, height: u32) -> FileAddress {
        format!("/files/{ID}/{width}x{height}/a.png").parse().expect("an address")
    }

    #[test]
    fn a_name_is_what_it_looks_like() {
        for (text, name) in [
            ("photo.png", "photo.png"),
            ("C:\\fake\\report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("a/b/", "b"),
            ("evil\u{202e}gnp.exe", "evilgnp.exe"),
            (" two\r\n words .. ", "two words"),
            ("..", "file"),
            ("", "file"),
            (".bashrc", ".bashrc"),
        ] {
            assert_eq!(FileName::nearest(text).as_str(), name, "{text:?}");
        }
        let long = FileName::nearest(&format!("{}.tar.gz", "x".repeat(200)));
        assert_eq!((long.as_str().len(), long.as_str().ends_with("x.gz")), (MAX_FILE_NAME_CHARS, true));
    }

    #[test]
    fn nothing_but_an_address_is_one() {
        for good in [format!("/files/{ID}/a.pdf"), format!("/files/{ID}/7x65535/a%20b.png"), format!("/files/{ID}/3x4")]
        {
            assert_eq!(good.parse::<FileAddress>().expect("an address").to_string(), good);
        }
        for bad in [
            format!("/files/{ID}"),
            format!("/files/{ID}/"),
            format!("/files/{ID}/0x1/a.png"),
            format!("/files/{ID}/01x1/a.png"),
            format!("/files/{ID}/+1x1/a.png"),
            format!("/files/{ID}/65536x1/a.png"),
            format!("/files/{ID}/1x1/a.png/"),
            format!("/files/{ID}/1x1/a.png?x"),
            format!("/files/{ID}/1x1/a b.png"),
            format!("/files/{ID}/1x1/%61.png"),
            format!("/files/{ID}/1x1/a%2Fb.png"),
            format!("/files/{ID}/1x1/.."),
            format!("/files/{}/a.png", ID.replace('-', "")),
            format!("/files/{}/a.png", ID.to_uppercase().replace('0', "A")),
            format!("//files/{ID}/a.png"),
            format!("https://a.example/files/{ID}/a.png"),
        ] {
            assert!(bad.parse::<FileAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_picture_keeps_its_shape_within_bounds() {
        assert_eq!(picture(100, 50).shown_size(), Some((100, 50)));
        assert_eq!(picture(4000, 3000).shown_size(), Some((480, 360)));
        assert_eq!(picture(4000, 1000).shown_size(), Some((640, 160)));
        assert_eq!(picture(65_535, 1).shown_size(), Some((640, 1)));
        assert_eq!(picture(1, 65_535).shown_size(), Some((1, 360)));
    }

    proptest! {
        #[test]
        fn whatever_a_file_is_called_its_address_is_read_again(text in ".{0,120}", size in prop::option::of((1..=MAX_SIDE, 1..=MAX_SIDE))) {
            let name = FileName::nearest(&text);
            prop_assert!((1..=MAX_FILE_NAME_CHARS).contains(&name.as_str().chars().count()));
            prop_assert_eq!(FileName::nearest(name.as_str()), name.clone());
            let address = FileAddress { id: FileId::new(), size, name };
            prop_assert_eq!(address.to_string().parse(), Ok(address));
        }

        #[test]
        fn what_can_be_read_is_written_alike(rest in "[0-9x/.%a-f -]{0,30}") {
            let text = format!("/files/{ID}/{rest}");
            if let Ok(address) = text.parse::<FileAddress>() {
                prop_assert_eq!(address.to_string(), text);
            }
        }
    }
}
