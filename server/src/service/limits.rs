//! How much is too much, counted in this node.

use app::{error::ApiError, model::UserId};
use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};

/// Sign-in attempts at one user name: this many at once, then one every six seconds.
const SIGN_INS: (u32, u32) = (10, 10);
/// New guests in all: bursts of 200, then 20 a second.
const GUESTS: (u32, u32) = (20, 200);
/// How many admissions between two cleanings of the tables.
const CLEAN_EVERY: u32 = 10_000;

/// The limits of one node.
pub struct Limits {
    messages: Option<DefaultKeyedRateLimiter<UserId>>,
    sign_ins: DefaultKeyedRateLimiter<String>,
    guests: DefaultDirectRateLimiter,
    clock: DefaultClock,
    admitted: AtomicU32,
}

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN)
}

impl Limits {
    /// `messages_per_second` of an account; 0: no limit.
    pub fn new(messages_per_second: u32) -> Self {
        let messages = NonZeroU32::new(messages_per_second)
            .map(|n| RateLimiter::keyed(Quota::per_second(n).allow_burst(n.saturating_mul(count(3)))));
        Self {
            messages,
            sign_ins: RateLimiter::keyed(Quota::per_minute(count(SIGN_INS.0)).allow_burst(count(SIGN_INS.1))),
            guests: RateLimiter::direct(Quota::per_second(count(GUESTS.0)).allow_burst(count(GUESTS.1))),
            clock: DefaultClock::default(),
            admitted: AtomicU32::new(0),
        }
    }

    /// One more write by an account.
    pub fn write(&self, user: UserId) -> Result<(), ApiError> {
        let Some(messages) = &self.messages else { return Ok(()) };
        self.clean();
        messages.check_key(&user).map_err(|until| self.wait(&until))
    }

    /// One more attempt to sign in under a name.
    pub fn sign_in(&self, username: &str) -> Result<(), ApiError> {
        self.clean();
        self.sign_ins.check_key(&username.to_owned()).map_err(|until| self.wait(&until))
    }

    /// One more guest.
    pub fn guest(&self) -> Result<(), ApiError> {
        self.guests.check().map_err(|until| self.wait(&until))
    }

    fn wait(&self, until: &NotUntil<<DefaultClock as Clock>::Instant>) -> ApiError {
        let wait = until.wait_time_from(self.clock.now());
        ApiError::TooManyRequests { retry_after_s: wait.as_secs() + u64::from(wait.subsec_nanos() > 0) }
    }

    /// Now and then lets go of those who have been quiet: the tables stay as small as the crowd that is active.
    fn clean(&self) {
        if self.admitted.fetch_add(1, Ordering::Relaxed) % CLEAN_EVERY == CLEAN_EVERY - 1 {
            self.sign_ins.retain_recent();
            if let Some(messages) = &self.messages {
                messages.retain_recent();
            }
        }
    }
}
