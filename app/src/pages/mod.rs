//! The pages: one a file.

mod frame;
mod home;
mod login;
mod not_found;
mod register;
mod room;
mod search;

pub use frame::{Frame, Rooms};
pub use home::HomePage;
pub use login::LoginPage;
pub use not_found::NotFoundPage;
pub use register::RegisterPage;
pub use room::RoomPage;
pub use search::SearchPage;
