//! `#welcome`: the room that is there from the start, and that everyone is in.

use super::{Service, store_failed};
use crate::{store::NewAccount, time::now};
use app::{
    error::ApiError,
    model::{KnownEvent, Message, MessageId, Position, RoomId, RoomName, User, UserId, Visibility},
};
use uuid::{Uuid, uuid};

// Fixed, so that several nodes that start at once make one room and one greeting.
pub(super) const ROOM: RoomId = RoomId(uuid!("01900000-0000-7000-8000-000000000001"));
const GREETING: MessageId = MessageId(uuid!("01900000-0000-7000-8000-000000000002"));
const PARTYLINE: UserId = UserId(uuid!("01900000-0000-7000-8000-000000000003"));

const TEXT: &str = "Welcome to Partyline. This room is for everyone: say hello, or make a room of your own.";

impl Service {
    /// Makes the room if it is not there yet.
    ///
    /// # Errors
    /// As the store's and the log's.
    pub async fn seed(&self) -> Result<(), ApiError> {
        let partyline = User {
            id: PARTYLINE,
            username: "partyline".into(),
            display_name: "Partyline".into(),
            guest: false,
            admin: false,
        };
        let account =
            NewAccount { user: partyline.clone(), password_hash: None, created_at: now(), only_first_admin: false };
        self.store.create_account(&account).await.map_err(store_failed)?;
        let name = RoomName::parse("welcome").map_err(ApiError::from)?;
        let room = match self.add_room(ROOM, name.slug().to_owned(), name.name().to_owned(), Visibility::Public).await?
        {
            Some(room) => room,
            None => match self.room_by_slug(name.slug()).await? {
                // Made, but nothing has happened in it: whoever made it did not come further.
                Some(room)
                    if room.id == ROOM && self.store.head(&room).await.map_err(store_failed)? == Position::START =>
                {
                    room
                }
                _ => return Ok(()),
            },
        };
        self.append(&room, PARTYLINE, Uuid::now_v7(), KnownEvent::RoomCreated { by: partyline.clone() }).await?;
        let message = Message::new(GREETING, partyline, TEXT, now());
        self.append(&room, PARTYLINE, GREETING.0, KnownEvent::MessagePosted { message }).await?;
        Ok(())
    }

    /// Lets a new account in. The account is good without it, so a failure is only noted.
    pub(super) async fn join_welcome(&self, user: &User) {
        let joined = match self.room_by_slug("welcome").await {
            Ok(Some(room)) if room.visibility == Visibility::Public => {
                self.let_in(&room, user, user.clone()).await.map(|_| ())
            }
            Ok(_) => Ok(()),
            Err(e) => Err(e),
        };
        if let Err(e) = joined {
            tracing::warn!(error = %e, "a new account could not join #welcome");
        }
    }
}
