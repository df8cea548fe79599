//! The few things that the pages ask of the browser's platform.
//!
//! Effects, and so all callers, run in the browser alone; the server's side is
//! there for the compiler.

#[cfg(feature = "hydrate")]
mod keys;
#[cfg(feature = "hydrate")]
mod platform;
#[cfg(feature = "hydrate")]
pub use {keys::press, platform::*};

#[cfg(not(feature = "hydrate"))]
mod nowhere;
#[cfg(not(feature = "hydrate"))]
pub use nowhere::*;
