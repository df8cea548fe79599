//! Colours in blocks of code: comments, texts, numbers, and words of the language.
//!
//! No parser: what languages of a family have in common is enough to read by, and a piece that is taken for another is a
//! colour, not a fault.

/// What a piece of code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For people.
    Comment,
    /// Between quotation marks.
    Text,
    /// Begins with a digit.
    Number,
    /// A word of the language.
    Word,
}

impl Kind {
    /// Its class in HTML.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Comment => "c",
            Self::Text => "s",
            Self::Number => "n",
            Self::Word => "k",
        }
    }
}

/// What begins and ends, on whichever line.
type Span = (&'static str, &'static str, Kind);

/// A family of languages.
#[derive(Debug)]
pub struct Language {
    /// As people call them behind the fence, between spaces.
    names: &'static str,
    /// What begins a comment to the end of the line.
    comment: &'static str,
    spans: &'static [Span],
    /// What stands around texts of one line.
    quotes: &'static str,
    /// Between spaces.
    words: &'static str,
}

const C_COMMENT: Span = ("/*", "*/", Kind::Comment);

const LANGUAGES: [Language; 6] = [
    Language {
        names: " rs rust ",
        comment: "//",
        spans: &[C_COMMENT],
        // An apostrophe begins more lifetimes than characters.
        quotes: "\"",
        words: " as async await bool break char const continue crate dyn else enum extern f32 f64 false fn for i128 i16 i32 \
            i64 i8 if impl in isize let loop match mod move mut pub ref return Self self static str struct super trait true \
            type u128 u16 u32 u64 u8 union unsafe use usize where while ",
    },
    Language {
        names: " c c# c++ cc cpp cs csharp d dart go golang groovy h hpp java javascript js json json5 jsonc jsx kotlin kt php \
            proto scala swift ts tsx typescript zig ",
        comment: "//",
        spans: &[C_COMMENT, ("`", "`", Kind::Text)],
        quotes: "\"'",
        words: " abstract as async await bool boolean break case catch chan char class const constexpr continue debugger def \
            default defer delete do double else enum export extends extern false final finally float fn for foreach from func \
            function fun go guard if implements import in init instanceof int interface internal is let long map match \
            message module namespace new nil null nullptr object of operator override package private protected public range \
            readonly repeated return select sealed self short signed sizeof static string struct super switch template this \
            throw throws trait true try type typedef typename typeof undefined union unsigned use using val var virtual void \
            volatile when where while with yield ",
    },
    Language {
        names: " bash conf console docker dockerfile elixir ex exs fish hcl ini jl julia make makefile nginx nix perl pl py \
            python r rb ruby sh shell terraform tf toml yaml yml zsh ",
        comment: "#",
        spans: &[("\"\"\"", "\"\"\"", Kind::Text), ("'''", "'''", Kind::Text)],
        quotes: "\"'",
        words: " False None True alias and as assert async await begin break case class continue def defmodule del do done \
            elif else elsif end ensure esac except exit export false fi finally for from function global if import in is \
            lambda let local match module my nil nonlocal not null or pass raise rescue return self set source sub then true \
            try unless until while with yield ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM RUN USER VOLUME WORKDIR ",
    },
    Language {
        names: " haskell hs lua mysql plpgsql postgres postgresql psql sql sqlite ",
        comment: "--",
        spans: &[C_COMMENT],
        quotes: "\"'",
        words: " add all alter and as asc begin between by cascade case check column commit conflict constraint create cross \
            database default delete desc distinct do drop else elseif end exists explain false for foreign from full function \
            group having if in index inner insert instance into is join key left let like limit local module nil not null \
            offset on or order outer over partition primary references repeat return returning right rollback select set \
            table then true type union unique until update using values view when where while with ",
    },
    Language { names: " css less sass scss ", comment: "", spans: &[C_COMMENT], quotes: "\"'", words: " " },
    Language {
        names: " html svelte svg vue xml ",
        comment: "",
        spans: &[("<!--", "-->", Kind::Comment)],
        quotes: "\"",
        words: " ",
    },
];

fn lists(words: &str, word: &str) -> bool {
    words.split_ascii_whitespace().any(|listed| listed == word)
}

/// Reads a block of code, a stretch of it after the other.
#[derive(Debug)]
pub struct Colours {
    language: &'static Language,
    /// A span that goes on.
    open: Option<(&'static str, Kind)>,
}

impl Colours {
    /// For what stands behind the fence. `None`: no language that is known here.
    pub fn of(info: &str) -> Option<Self> {
        let name = info.split(|c: char| !(c.is_alphanumeric() || matches!(c, '+' | '#'))).next()?.to_ascii_lowercase();
        let language = LANGUAGES.iter().find(|language| lists(language.names, &name))?;
        Some(Self { language, open: None })
    }

    /// Gives the next stretch in pieces; together they are the stretch.
    pub fn read(&mut self, text: &str, give: &mut dyn FnMut(&str, Option<Kind>)) {
        let (mut plain, mut at) = (0, 0);
        while at < text.len() {
            let (length, kind) = self.token(text, at);
            if kind.is_some() {
                if plain < at {
                    give(&text[plain..at], None);
                }
                give(&text[at..at + length], kind);
                plain = at + length;
            }
            at += length;
        }
        if plain < at {
            give(&text[plain..], None);
        }
    }

    /// The piece there, and its length in bytes; never 0.
    fn token(&mut self, text: &str, at: usize) -> (usize, Option<Kind>) {
        let (before, rest) = text.split_at(at);
        if let Some((close, kind)) = self.open.take() {
            return self.span(rest, 0, close, kind);
        }
        let Language { comment, spans, quotes, words, .. } = self.language;
        let before = before.chars().next_back();
        let begins = match *comment {
            "" => false,
            // `$#`, `https://`
            "#" => before.is_none_or(char::is_whitespace),
            _ => before != Some(':'),
        };
        if begins && rest.starts_with(comment) {
            return (rest.find('\n').unwrap_or(rest.len()), Some(Kind::Comment));
        }
        if let Some((open, close, kind)) = spans.iter().find(|(open, ..)| rest.starts_with(open)) {
            return self.span(rest, open.len(), close, *kind);
        }
        let Some(first) = rest.chars().next() else { return (rest.len(), None) };
        let run = |belongs: fn(char) -> bool| rest.find(|c: char| !belongs(c)).unwrap_or(rest.len());
        if quotes.contains(first)
            && let Some(length) = quoted(rest, first)
        {
            (length, Some(Kind::Text))
        } else if first.is_ascii_digit() {
            let length = run(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
            // `0..9`
            (rest[..length].find("..").unwrap_or(length), Some(Kind::Number))
        } else if first.is_alphabetic() || first == '_' {
            let length = run(|c| c.is_alphanumeric() || c == '_');
            let word = &rest[..length];
            let any_case = *comment == "--" && lists(words, &word.to_ascii_lowercase());
            (length, (any_case || lists(words, word)).then_some(Kind::Word))
        } else {
            (first.len_utf8(), None)
        }
    }

    fn span(&mut self, rest: &str, from: usize, close: &'static str, kind: Kind) -> (usize, Option<Kind>) {
        match rest[from..].find(close) {
            Some(length) => (from + length + close.len(), Some(kind)),
            None => {
                self.open = Some((close, kind));
                (rest.len(), Some(kind))
            }
        }
    }
}

/// The length of a text on one line, its quotation marks included.
fn quoted(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return None,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(info: &str, lines: &[&str]) -> String {
        let mut colours = Colours::of(info).expect("a language");
        let mut out = String::new();
        for line in lines {
            colours.read(line, &mut |piece, kind| match kind {
                Some(kind) => out += &format!("[{}:{piece}]", kind.class()),
                None => out += piece,
            });
        }
        out
    }

    #[test]
    fn comments_texts_numbers_and_words_are_told_apart() {
        for (info, code, shown) in [
            ("rust", "let x: &'a str = \"a\\\"b\"; // c\n", "[k:let] x: &'a [k:str] = [s:\"a\\\"b\"]; [c:// c]\n"),
            ("Rust,ignore", "for i in 0..0x1f {}", "[k:for] i [k:in] [n:0]..[n:0x1f] {}"),
            ("js", "const a = 'b' + `c` // d", "[k:const] a = [s:'b'] + [s:`c`] [c:// d]"),
            ("js", "fetch(https://a.example)", "fetch(https://a.example)"),
            ("py", "def f(): # it's\n  return None", "[k:def] f(): [c:# it's]\n  [k:return] [k:None]"),
            ("sh", "echo $# \"$1\"", "echo $# [s:\"$1\"]"),
            ("sql", "SELECT 1 -- one", "[k:SELECT] [n:1] [c:-- one]"),
            ("json", "{\"a\": [1.5, true]}", "{[s:\"a\"]: [[n:1.5], [k:true]]}"),
            ("c++", "int letter = 'x'; /* y */", "[k:int] letter = [s:'x']; [c:/* y */]"),
            ("html", "<a href=\"b\">it's</a>", "<a href=[s:\"b\"]>it's</a>"),
        ] {
            assert_eq!(read(info, &[code]), shown);
        }
    }

    #[test]
    fn what_goes_on_over_lines_is_one() {
        assert_eq!(read("c", &["a /* b\n", "c\n", "d */ e"]), "a [c:/* b\n][c:c\n][c:d */] e");
        assert_eq!(read("py", &["\"\"\"a\n", "b\"\"\" if"]), "[s:\"\"\"a\n][s:b\"\"\"] [k:if]");
        assert_eq!(read("js", &["\"a\n", "b\""]), "\"a\nb\"", "a text of one line that does not end there is none");
    }

    #[test]
    fn what_is_no_language_has_no_colours() {
        for info in ["", "text", "what?", "ruST lang of mine".split(' ').nth(1).unwrap_or_default()] {
            assert!(Colours::of(info).is_none(), "{info}");
        }
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_code(
            language in 0..LANGUAGES.len(),
            lines in proptest::collection::vec("[a\"'`#/*\\\\é1 .:_\n-]{0,24}", 0..5),
        ) {
            let name = LANGUAGES[language].names.split_whitespace().next().expect("a name");
            let mut colours = Colours::of(name).expect("a language");
            let mut again = String::new();
            for line in &lines {
                colours.read(line, &mut |piece, _| again += piece);
            }
            prop_assert_eq!(again, lines.concat());
        }
    }
}
