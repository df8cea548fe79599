//! What the server and the browser share: the nouns, the protocol, the pages.
//!
//! In the way of a message this crate is both ends: the form or the outbox that
//! sends it, and the state that the socket's frames are folded into. It has no
//! I/O of its own on the server, where [`backend::Backend`] does the work.
#![recursion_limit = "512"]
#![cfg_attr(not(feature = "hydrate"), allow(dead_code, reason = "the browser's part is compiled and tested here too"))]

mod api;
mod app;
#[cfg(feature = "ssr")]
pub mod backend;
mod badges;
mod browser;
mod complete;
mod components;
pub mod direct;
pub mod error;
#[cfg(feature = "ssr")]
pub mod forms;
#[cfg(feature = "ssr")]
#[doc(hidden)]
pub mod fuzz;
mod json;
mod live;
mod markdown;
pub mod mentions;
pub mod model;
mod outbox;
mod pages;
pub mod protocol;
mod rcdata;
mod reactive;
mod session;
mod state;
mod switcher;
mod theme;
mod timeline;
mod url;
mod when;
mod words;

pub use app::App;
#[cfg(feature = "ssr")]
pub use app::shell;
