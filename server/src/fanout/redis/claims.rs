//! Claims in Redis: a key each, that goes by itself.

use super::{
    commands::Commands,
    foreign,
    keys::{Keys, id, position},
};
use crate::fanout::{
    FanoutError,
    claims::{CLAIM_LIFE, Claim, Claimed, Fate, Fingerprint},
};
use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Changes a claim only if it is still the same: KEYS\[1\], what it was, what it becomes (nothing: it goes), seconds.
const IF_MINE: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1";

/// What this node can tell of how well Redis remembers.
#[derive(Default)]
pub(super) struct RedisClaims(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    lost_at: Option<Instant>,
    /// The highest count that was seen. A lower one: Redis has forgotten.
    counted: u64,
}

impl RedisClaims {
    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims may have been lost just now.
    pub(super) fn lose(&self) {
        self.memory().lost_at = Some(Instant::now());
    }

    pub(super) fn lost_at(&self) -> Option<Instant> {
        self.memory().lost_at
    }

    /// Counts once, so that a Redis that remembers nothing is known for one before the first claim.
    pub(super) async fn greet(&self, commands: &Commands, keys: &Keys) {
        let mut ask = redis::pipe();
        match commands.ask::<(u64,)>(ask.incr(keys.claims(), 1)).await {
            Ok((count,)) => self.count(count),
            Err(_) => self.lose(),
        }
    }

    fn count(&self, count: u64) {
        let mut memory = self.memory();
        // Of several that are on their way the answers may come in any order, of a hundred or so.
        if count == 1 || count + 1_000 < memory.counted {
            *memory = Memory { lost_at: Some(Instant::now()), counted: 0 };
        }
        memory.counted = memory.counted.max(count);
    }

    pub(super) async fn claim(&self, commands: &Commands, keys: &Keys, claim: &Claim) -> Result<Claimed, FanoutError> {
        let (key, value) = (keys.claim(claim.room, claim.id), text(claim, Fate::Pending));
        let mut ask = redis::pipe();
        ask.incr(keys.claims(), 1);
        ask.cmd("SET").arg(&key).arg(&value).arg("NX").arg("EX").arg(CLAIM_LIFE.as_secs()).ignore();
        ask.get(&key);
        let (count, found): (u64, Option<String>) = match commands.ask(&ask).await {
            Ok(answer) => answer,
            Err(e) => {
                self.lose();
                return Err(e);
            }
        };
        self.count(count);
        // It went between the two: whoever had it, had it long ago.
        let Some(found) = found else { return Ok(Claimed::Mine) };
        let (nonce, fingerprint, fate) = read(&found).ok_or_else(foreign)?;
        Ok(if nonce == claim.nonce { Claimed::Mine } else { Claimed::Taken { fingerprint, fate } })
    }

    pub(super) async fn settle(
        &self,
        commands: &Commands,
        keys: &Keys,
        claim: &Claim,
        fate: Fate,
    ) -> Result<(), FanoutError> {
        let key = keys.claim(claim.room, claim.id);
        let mut ask = redis::pipe();
        match fate {
            Fate::Posted(_) => {
                ask.cmd("SET").arg(key).arg(text(claim, fate)).arg("EX").arg(CLAIM_LIFE.as_secs()).ignore();
            }
            Fate::Pending | Fate::Unsure => if_mine(&mut ask, key, claim, &text(claim, fate)),
        }
        commands.ask(&ask).await
    }

    pub(super) async fn release(&self, commands: &Commands, keys: &Keys, claim: &Claim) -> Result<(), FanoutError> {
        let mut ask = redis::pipe();
        if_mine(&mut ask, keys.claim(claim.room, claim.id), claim, "");
        commands.ask(&ask).await
    }
}

fn if_mine(ask: &mut redis::Pipeline, key: String, claim: &Claim, becomes: &str) {
    let was = text(claim, Fate::Pending);
    ask.cmd("EVAL").arg(IF_MINE).arg(1).arg(key).arg(was).arg(becomes).arg(CLAIM_LIFE.as_secs()).ignore();
}

/// Nonce, fingerprint, fate, with single spaces between them.
fn text(claim: &Claim, fate: Fate) -> String {
    let fate = match fate {
        Fate::Pending => "?".to_owned(),
        Fate::Unsure => "!".to_owned(),
        Fate::Posted(at) => id(at),
    };
    format!("{:x} {:x} {fate}", claim.nonce, u128::from_be_bytes(claim.fingerprint))
}

fn read(text: &str) -> Option<(u64, Fingerprint, Fate)> {
    let mut words = text.split(' ');
    let nonce = u64::from_str_radix(words.next()?, 16).ok()?;
    let fingerprint = u128::from_str_radix(words.next()?, 16).ok()?.to_be_bytes();
    let fate = match words.next()? {
        "?" => Fate::Pending,
        "!" => Fate::Unsure,
        at => Fate::Posted(position(at.as_bytes())?),
    };
    Some((nonce, fingerprint, fate))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use app::model::{MessageId, Position, RoomId};

    #[test]
    fn a_claim_is_read_as_it_was_written() {
        let claim = Claim::new(RoomId::new(), MessageId::new(), [0xa5; 16]);
        for fate in [Fate::Pending, Fate::Unsure, Fate::Posted(Position::new(2, u64::MAX))] {
            assert_eq!(read(&text(&claim, fate)), Some((claim.nonce, claim.fingerprint, fate)));
        }
        for bad in ["", "1", "1 2", "x 2 ?", "1 2 here"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
