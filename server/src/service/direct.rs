//! Direct conversations: the same few people are always the same room.

use super::{Service, store_failed};
use crate::store::RoomRow;
use app::{
    backend::Viewer,
    direct::{MOST_PEOPLE, SIGN, is_direct, name_of},
    error::{ApiError, Outcome},
    model::{KnownEvent, Role, Room, RoomId, User, UserId, Visibility, Written},
};
use sha2::{Digest, Sha256};
use uuid::Builder;

impl Service {
    /// The conversation of the viewer with these people, made if there was none; whether it was.
    pub(super) async fn do_direct(&self, who: &Viewer, people: &[String]) -> Result<(Room, Written, bool), ApiError> {
        if who.user.guest {
            return Err(ApiError::forbidden("guests have no direct conversations: please register"));
        }
        if people.is_empty() || people.len() >= MOST_PEOPLE {
            return Err(ApiError::invalid("a direct conversation is with 1 to 7 others"));
        }
        self.limits.write(who.user.id)?;
        let mut all: Vec<User> = vec![who.user.clone()];
        for name in people {
            let user = self.person(name).await?;
            if user.guest {
                return Err(ApiError::forbidden("guests have no direct conversations"));
            }
            if !all.iter().any(|known| known.id == user.id) {
                all.push(user);
            }
        }
        if all.len() == 1 {
            return Err(ApiError::invalid("a direct conversation is with somebody else"));
        }
        let id = id_of(all.iter().map(|user| user.id).collect());
        let slug = format!("{SIGN}{}", id.0.simple());
        let (row, made) = match self.room_by_slug(&slug).await? {
            Some(row) => (row, false),
            None => {
                self.limits.room(who.user.id)?;
                // As when a room is made.
                self.log.check().await.map_err(|_| ApiError::unavailable(Outcome::NotPersisted))?;
                let name = name_of(all.iter().map(|user| user.username.as_str()).collect());
                match self.add_room(id, slug.clone(), name, Visibility::Private).await? {
                    Some(row) => (row, true),
                    None => (self.room_by_slug(&slug).await?.ok_or(ApiError::NotFound)?, false),
                }
            }
        };
        let written = self.bring_together(&row, &who.user, &all).await?;
        let role = self.roles.of(&row, who.user.id).await.map_err(store_failed)?;
        Ok((row.seen_by(role, all.len() as u64), written, made))
    }

    /// Makes members of those who are none: all at first, and again whom a crash left out.
    async fn bring_together(&self, row: &RoomRow, by: &User, all: &[User]) -> Result<Written, ApiError> {
        let mut written = None;
        for user in all {
            if self.roles.of(row, user.id).await.map_err(store_failed)?.is_some() {
                continue;
            }
            written = Some(if user.id == by.id {
                let created = KnownEvent::RoomCreated { by: by.clone() };
                self.change_member(row, by, by.id, Some(Role::Owner), created).await?
            } else {
                self.let_in(row, by, user.clone()).await?
            });
        }
        match written {
            Some(written) => Ok(written),
            None => self.nothing_to_do(row).await,
        }
    }
}

/// Who is in a direct conversation does not change, and nothing else about it.
pub(super) fn may_change(room: &RoomRow) -> Result<(), ApiError> {
    if is_direct(&room.slug) {
        return Err(ApiError::forbidden("a direct conversation stays as it is: begin another"));
    }
    Ok(())
}

/// The same for the same people, whoever of them begins.
fn id_of(mut people: Vec<UserId>) -> RoomId {
    people.sort_unstable();
    let digest = people.iter().fold(Sha256::new(), |hash, user| hash.chain_update(user.0));
    let digest = digest.finalize();
    RoomId(Builder::from_custom_bytes(std::array::from_fn(|i| digest[i])).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_people_are_the_same_room_and_others_another() {
        let [ada, lin, eve] = [UserId::new(), UserId::new(), UserId::new()];
        assert_eq!(id_of(vec![ada, lin]), id_of(vec![lin, ada]));
        assert_ne!(id_of(vec![ada, lin]), id_of(vec![ada, eve]));
        assert_ne!(id_of(vec![ada, lin]), id_of(vec![ada, lin, eve]));
    }
}
