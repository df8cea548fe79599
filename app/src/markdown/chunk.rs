//! Reading Markdown is a tenth of what the browser would load at first. It is a chunk of its own, fetched once the page
//! stands (feature `split`); without that feature, and on the server, it is simply there. What one needs only to write
//! comes along.

use super::{Audience, excerpt, html::html};
use crate::{
    complete::{Begun, Candidate, Edit, accept, candidates, emoji, emphasise, options},
    mentions::mentions,
    model::{Room, User},
};

/// What is in the chunk.
#[derive(Clone, Copy, Debug)]
pub struct Renderer {
    /// A message's text as HTML, and whether it says that it was edited. It can be put on a page as it is.
    pub html: fn(&str, Audience<'_>, bool) -> String,
    /// The first words of a text, without its markup and on one line; so many characters at most.
    pub excerpt: fn(&str, usize) -> String,
    /// The user names that a message calls.
    pub mentions: fn(&str) -> Vec<String>,
    /// The list of emoji and their names.
    pub emoji: fn() -> &'static str,
    /// What a word may be completed to, see [`candidates`].
    pub candidates: Candidates,
    /// See [`options`].
    pub options: fn(&str, &[Candidate], usize) -> String,
    /// See [`accept`].
    pub accept: fn(&str, usize, &Begun, &Candidate) -> Edit,
    /// See [`emphasise`].
    pub emphasise: fn(&str, std::ops::Range<usize>, &str) -> Edit,
}

type Candidates = fn(&Begun, &mut dyn Iterator<Item = &User>, &[Room], Option<&str>) -> Vec<Candidate>;

const RENDERER: Renderer =
    Renderer { html, excerpt, mentions, emoji: emoji::list, candidates, options, accept, emphasise };

/// The chunk could not be fetched: the connection is gone, or the server is of another build by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLoaded;

#[cfg(not(feature = "split"))]
mod whole {
    use super::*;

    impl Renderer {
        /// If it can be used without waiting.
        pub fn there() -> Option<Self> {
            Some(RENDERER)
        }

        /// There is nothing to wait for.
        pub async fn load() -> Result<(), NotLoaded> {
            Ok(())
        }
    }
}

#[cfg(feature = "split")]
mod split {
    use super::*;
    use leptos::wasm_split::{self, SplitLoaderError, wasm_split};
    use std::sync::OnceLock;

    static FETCHED: OnceLock<Renderer> = OnceLock::new();

    impl Renderer {
        /// If it can be used without waiting.
        pub fn there() -> Option<Self> {
            FETCHED.get().copied()
        }

        /// Fetches the chunk if it is not there. Trying again after a failure is worth it.
        pub async fn load() -> Result<(), NotLoaded> {
            let fetched = fetch().await?;
            let _ = FETCHED.set(fetched);
            Ok(())
        }
    }

    impl From<SplitLoaderError> for NotLoaded {
        fn from(_: SplitLoaderError) -> Self {
            Self
        }
    }

    /// What this refers to, and nothing else does, is cut out.
    #[wasm_split(markdown, wasm_split_path = wasm_split, fallible)]
    #[allow(unsafe_code, reason = "names symbols for the tool that splits the file")]
    fn fetch() -> Result<Renderer, NotLoaded> {
        Ok(RENDERER)
    }
}
