//! `partyline admin`: dead letters, administrators, sessions, passwords.

use crate::{
    auth::password::Passwords,
    config::{Config, Mode},
    fanout::{self, Fanout, Notice},
    log::Entry,
    operator::rebuild,
    store::{Act, Acted, DeadLetter, Placed, Revived, RoomKey, Upkeep},
};
use anyhow::Context;
use app::model::{AccountChange, Position, SessionId, User, Username};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;

/// Which dead letter: its partition and its position there.
#[derive(Clone, Copy, Debug)]
pub struct Letter {
    /// The partition.
    pub partition: u32,
    /// The position.
    pub at: Position,
}

impl std::str::FromStr for Letter {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not like 3/1.42: partition, then position, as `list` shows them");
        let (partition, at) = text.split_once('/').ok_or_else(bad)?;
        Ok(Self { partition: partition.parse().map_err(|_| bad())?, at: at.parse().map_err(|_| bad())? })
    }
}

/// All dead letters.
///
/// # Errors
/// As the store's.
pub async fn dead_letters(store: &dyn Upkeep) -> anyhow::Result<Vec<DeadLetter>> {
    let mut all: Vec<DeadLetter> = Vec::new();
    loop {
        let after = all.last().map(|letter| (letter.partition, letter.at));
        let some = store.dead_letters(after, 1_000).await?;
        if some.is_empty() {
            return Ok(all);
        }
        all.extend(some);
    }
}

/// Tries a dead letter again. What comes of it is what would have come of it then: it goes to the archive at the place
/// that it has in the log, and messages and members become what folding the archive in its order gives. Who has the room
/// open sees it when they load its history again, since live delivery only goes forward.
///
/// # Errors
/// If there is no such letter, or something cannot be asked.
pub async fn retry(store: &dyn Upkeep, letter: Letter) -> anyhow::Result<Revived> {
    let Letter { partition, at } = letter;
    let found = store.dead_letters(before(letter), 1).await?;
    let found = found.into_iter().find(|found| (found.partition, found.at) == (partition, at));
    let found = found.with_context(|| format!("there is no dead letter {partition}/{at}"))?;
    let entry = Entry { offset: at.offset, payload: Bytes::from(found.payload) };
    let placed = match Placed::decode(&entry) {
        Ok(placed) => placed,
        Err(e) => return Ok(Revived::Refused(e.to_string())),
    };
    let revived = store.revive(partition, at, &placed).await?;
    if revived == Revived::Archived {
        let room = store.room(&RoomKey::Id(placed.record.room)).await?.context("the room was there just now")?;
        // Interrupted here, the archive is right, and `partyline rebuild` does the rest.
        rebuild::through(store, &room, true).await?;
    }
    Ok(revived)
}

/// The place just before a letter, since the store lists those after one.
fn before(letter: Letter) -> Option<(u32, Position)> {
    match (letter.at.offset.checked_sub(1), letter.partition.checked_sub(1)) {
        (Some(offset), _) => Some((letter.partition, Position::new(letter.at.epoch, offset))),
        (None, _) if letter.at.epoch > 0 => {
            Some((letter.partition, Position::new(letter.at.epoch - 1, i64::MAX as u64)))
        }
        (None, Some(partition)) => Some((partition, Position::new(u32::MAX, i64::MAX as u64))),
        (None, None) => None,
    }
}

/// Forgets a dead letter.
///
/// # Errors
/// If there is none.
pub async fn discard(store: &dyn Upkeep, letter: Letter) -> anyhow::Result<()> {
    let gone = store.discard(letter.partition, letter.at).await?;
    anyhow::ensure!(gone, "there is no dead letter {}/{}", letter.partition, letter.at);
    Ok(())
}

/// Makes somebody an administrator. Nodes know within 10 s.
///
/// # Errors
/// If there is no such account, or it is a guest's.
pub async fn make_admin(store: &dyn Upkeep, username: &str) -> anyhow::Result<()> {
    let user = person(store, username).await?;
    anyhow::ensure!(!user.guest, "{} is a guest: they have to register first", user.username);
    let change = AccountChange { admin: Some(true), ..AccountChange::default() };
    act(store, Act { change, ..act_on(&user) }).await.map(drop)
}

/// Ends every session of somebody. Nodes that are not told ([`tell`]) find out within 10 s, and their sockets within 30 s.
///
/// # Errors
/// If there is no such account.
pub async fn revoke_sessions(store: &dyn Upkeep, username: &str) -> anyhow::Result<Vec<SessionId>> {
    let user = person(store, username).await?;
    act(store, Act { end_sessions: true, ..act_on(&user) }).await
}

/// What whoever runs the program does to an account.
fn act_on(user: &User) -> Act {
    Act {
        by: None,
        subject: user.username.clone(),
        change: AccountChange::default(),
        end_sessions: false,
        at: crate::time::now(),
    }
}

/// Which sessions ended by it.
async fn act(store: &dyn Upkeep, act: Act) -> anyhow::Result<Vec<SessionId>> {
    match store.act(&act).await? {
        Acted::Done(ended) => Ok(ended),
        refused => anyhow::bail!("it cannot be done to {}: {refused:?}", act.subject),
    }
}

/// Tells the nodes of a cluster that these sessions have ended.
///
/// # Errors
/// Redis is away.
pub async fn tell(config: &Config, sessions: Vec<SessionId>) -> anyhow::Result<()> {
    let Mode::Cluster { redis, .. } = &config.mode else { return Ok(()) };
    fanout::redis::RedisFanout::connect(redis).await?.tell(&Notice::SessionsEnded { sessions }).await?;
    Ok(())
}

/// Gives somebody a new password, which is returned and kept nowhere else. Their sessions go on: see [`revoke_sessions`].
///
/// # Errors
/// If there is no such account, or it is a guest's.
pub async fn reset_password(store: &dyn Upkeep, username: &str) -> anyhow::Result<String> {
    let user = person(store, username).await?;
    anyhow::ensure!(!user.guest, "{} is a guest, who has no password", user.username);
    let password = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 12]>());
    let hash = Passwords::default().hash(password.clone()).await.map_err(|e| anyhow::anyhow!("hashing: {e}"))?;
    anyhow::ensure!(store.set_password(&user.username, &hash).await?, "there is no account {}", user.username);
    Ok(password)
}

async fn person(store: &dyn Upkeep, username: &str) -> anyhow::Result<User> {
    let name = Username::parse(username).map_err(|e| anyhow::anyhow!("{username:?}: {e}"))?;
    let account = store.account(name.as_str()).await?;
    Ok(account.with_context(|| format!("there is no account {username}"))?.user)
}
