//! The few things that the pages ask of the browser's platform.
//!
//! Effects, and so all callers, run in the browser alone; the server's side is
//! there for the compiler.

#[cfg(feature = "hydrate")]
mod files;
#[cfg(feature = "hydrate")]
mod keys;
#[cfg(feature = "hydrate")]
mod platform;
#[cfg(feature = "hydrate")]
pub use {files::*, keys::press, platform::*};

#[cfg(not(feature = "hydrate"))]
mod nowhere;
#[cfg(not(feature = "hydrate"))]
pub use nowhere::*;

/// A file that a person has chosen, kept until it is let go of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// What it is kept under.
    pub number: u32,
    /// What the person's computer calls it.
    pub name: String,
    /// How long it is.
    pub bytes: u64,
}
