//! What people write is Markdown: CommonMark with tables, tasks and strikethrough.
//!
//! The server and the browser make the same HTML of it: the page of the one is taken over by the other, and one's own
//! message is shown before the server has it.

mod address;
mod chunk;
mod code;
#[cfg(any(feature = "ssr", test))]
mod examine;
mod html;
#[cfg(test)]
mod properties;
mod read;

pub use chunk::{NotLoaded, Renderer};
#[cfg(feature = "ssr")]
pub use examine::examine;
pub use html::{Audience, as_written, escape};
pub use read::{Piece, read};

/// The first words of a text, without its markup and on one line.
fn excerpt(body: &str, max_chars: usize) -> String {
    let mut text = String::new();
    read(body, &mut |piece| match piece {
        Piece::Text(words, _)
        | Piece::Literal(words)
        | Piece::Code(words)
        | Piece::Address(words)
        | Piece::Picture(_, words) => text.push_str(words),
        Piece::Task(done) => text.push(if done { '☑' } else { '☐' }),
        Piece::Close(element) if element.is_inline() => {}
        Piece::Close(_) | Piece::Break => text.push(' '),
        Piece::Open(_) | Piece::Rule => {}
    });
    one_line(&text, max_chars)
}

/// The first words of a text on one line, whatever is in it.
pub fn one_line(text: &str, max_chars: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(max_chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_line_without_markup() {
        let body = "# Plan\n\n- [x] buy **bread**\n- [ ] ~~see~~ [map](https://a.example)\n\n`a  b`\nnext <b>\n\n|a|b|\n|-|-|\n|c|d|";
        assert_eq!(excerpt(body, 99), "Plan ☑buy bread ☐see map a b next <b> a b c d");
        assert_eq!(excerpt("**äöü**", 2), "äö");
        assert_eq!(excerpt("***", 9), "");
    }
}
