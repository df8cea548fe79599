//! The pages: one a file.

#[cfg(feature = "hydrate")]
mod elsewhere;
mod frame;
mod home;
mod not_found;
#[cfg(not(feature = "hydrate"))]
mod plain;
mod room;

#[cfg(feature = "hydrate")]
pub use elsewhere::{FramedPlainRoutes, NoPageHere, PlainRoutes, is_live};
pub use frame::{Frame, Rooms};
pub use home::HomePage;
pub use not_found::NotFoundPage;
#[cfg(not(feature = "hydrate"))]
pub use plain::{FramedPlainRoutes, NoPageHere, PlainRoutes, is_live};
pub use room::RoomPage;
