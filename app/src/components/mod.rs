//! The pieces of the pages: one a file.

mod account;
mod actions;
mod anchor;
mod avatar;
mod banner;
mod clock;
mod composer;
mod create_room;
mod enter;
mod field;
mod member_list;
mod message_menu;
mod message_row;
mod reactions;
mod room_header;
mod room_link;
mod sidebar;
mod timeline;

pub use account::{Account, Brand, Themes};
pub use actions::Actions;
pub use avatar::Avatar;
pub use banner::Banner;
pub use clock::{Clock, Day, Hydrated};
pub use composer::{Composer, JoinBar, Kept};
pub use create_room::CreateRoom;
pub use enter::{GuestForm, JoinForm};
pub use field::{Field, Problem};
pub use member_list::MemberList;
pub use message_menu::MessageMenu;
pub use message_row::MessageRow;
pub use reactions::Reactions;
pub use room_header::RoomHeader;
pub use room_link::RoomLink;
pub use sidebar::Sidebar;
pub use timeline::Timeline;
