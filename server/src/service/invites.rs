//! Links that let people into a room: whoever has one may come in, until it is used up, taken back or too old.

use super::{Access, Service, direct::may_change, settings::in_use, store_failed};
use crate::{
    store::{InviteRow, NewInvite},
    time::now,
};
use app::{
    backend::{Invitation, InviteWanted, NewInviteLink, Viewer},
    error::{ApiError, Outcome},
    model::{Invite, Millis, Written},
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// For how long a link is good, in seconds: at least, at most, and unless it is said otherwise.
const GOOD_FOR_S: (u64, u64, u64) = (60, 365 * 24 * 3600, 7 * 24 * 3600);
/// Most people that a link with a number of uses lets in.
const MOST_USES: u32 = 10_000;
const SECRET_BYTES: usize = 16;

impl Service {
    pub(super) async fn do_create_invite(
        &self,
        who: &Viewer,
        room: &str,
        wanted: InviteWanted,
    ) -> Result<NewInviteLink, ApiError> {
        let Access { room, .. } = self.run(who, room).await?;
        may_change(&room)?;
        in_use(&room)?;
        let (shortest, longest, usual) = GOOD_FOR_S;
        let good_for_s = wanted.expires_in.unwrap_or(usual);
        if !(shortest..=longest).contains(&good_for_s) {
            return Err(ApiError::invalid("an invite link is good for 60 to 31536000 seconds"));
        }
        if wanted.uses.is_some_and(|uses| !(1..=MOST_USES).contains(&uses)) {
            return Err(ApiError::invalid("an invite link is good for 1 to 10000 people, or for any number"));
        }
        self.limits.write(who.user.id)?;
        let secret = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; SECRET_BYTES]>());
        let created_at = now();
        let new = NewInvite {
            id: Uuid::now_v7(),
            room: room.id,
            secret_hash: hash(&secret),
            by: who.user.id,
            created_at,
            expires_at: created_at + Millis::try_from(good_for_s * 1_000).unwrap_or(Millis::MAX / 2),
            uses: wanted.uses,
        };
        if !self.store.create_invite(&new).await.map_err(store_failed)? {
            return Err(ApiError::conflict("this room has a hundred invite links: take one back first"));
        }
        Ok(NewInviteLink { id: new.id, secret, expires_at: new.expires_at, uses: new.uses })
    }

    pub(super) async fn do_invites(&self, who: &Viewer, room: &str) -> Result<Vec<Invite>, ApiError> {
        let Access { room, .. } = self.run(who, room).await?;
        self.store.invites(room.id, now()).await.map_err(store_failed)
    }

    pub(super) async fn do_revoke_invite(&self, who: &Viewer, room: &str, id: Uuid) -> Result<(), ApiError> {
        let Access { room, .. } = self.run(who, room).await?;
        self.limits.write(who.user.id)?;
        let gone = self.store.revoke_invite(room.id, id).await.map_err(store_failed)?;
        if gone { Ok(()) } else { Err(ApiError::NotFound) }
    }

    /// Whoever has the secret may know of the room.
    pub(super) async fn do_invitation(&self, who: Option<&Viewer>, secret: &str) -> Result<Invitation, ApiError> {
        let InviteRow { invite, room, .. } = self.open_invite(secret).await?;
        let role = match who {
            Some(who) => self.roles.of(&room, who.user.id).await.map_err(store_failed)?,
            None => None,
        };
        let members = self.store.member_count(room.id).await.map_err(store_failed)?;
        Ok(Invitation { room: room.seen_by(role, members), by: invite.by, expires_at: invite.expires_at })
    }

    pub(super) async fn do_accept_invite(&self, who: &Viewer, secret: &str) -> Result<(String, Written), ApiError> {
        let InviteRow { invite, room, made } = self.open_invite(secret).await?;
        let slug = room.slug.clone();
        if self.roles.of(&room, who.user.id).await.map_err(store_failed)?.is_some() {
            return Ok((slug, self.nothing_to_do(&room).await?));
        }
        in_use(&room)?;
        // A link from before is one that they may have kept.
        if self.roles.removal(&room, who.user.id).await.map_err(store_failed)?.is_some_and(|removed| removed >= made) {
            return Err(ApiError::forbidden("you were removed from this room: this takes an invitation made since"));
        }
        self.limits.write(who.user.id)?;
        if !self.store.take_invite(invite.id, now()).await.map_err(store_failed)? {
            return Err(ApiError::NotFound);
        }
        let joined = self.let_in(&room, &who.user, who.user.clone()).await;
        let not_in =
            matches!(joined, Err(ApiError::Unavailable { outcome: Outcome::NotPersisted, .. } | ApiError::StorageFull));
        if not_in && let Err(e) = self.store.give_back_invite(invite.id).await {
            tracing::warn!(error = %e, "a use of an invite link is lost");
        }
        Ok((slug, joined?))
    }

    /// Unknown, too old, used up, taken back: all are nothing.
    async fn open_invite(&self, secret: &str) -> Result<InviteRow, ApiError> {
        // What cannot be a secret is not looked up.
        if BASE64_URL_SAFE_NO_PAD.decode(secret).map(|bytes| bytes.len()) != Ok(SECRET_BYTES) {
            return Err(ApiError::NotFound);
        }
        let mut found =
            self.store.invite(&hash(secret), now()).await.map_err(store_failed)?.ok_or(ApiError::NotFound)?;
        self.rooms.catch_up(&mut found.room);
        Ok(found)
    }
}

/// A secret of 128 random bits needs no slow hash: nobody guesses it.
fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}
