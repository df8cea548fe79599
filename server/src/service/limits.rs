//! How much is too much, counted in this node.

use app::{
    error::ApiError,
    model::{User, UserId},
};
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
/// Rooms that an account makes: ten at once, then one every six minutes.
const ROOMS: (u32, u32) = (10, 10);
/// Typing and read markers of an account: what costs little, and may be left out.
const SIGNALS: (u32, u32) = (10, 30);
/// Searches of an account, and those of all visitors together: each costs more than a page of history.
const SEARCHES: (u32, u32) = (3, 20);
const SEARCHES_OF_VISITORS: (u32, u32) = (10, 60);
/// Uploads of an account, in KiB: 100 MiB at once, then 200 an hour.
const UPLOADS_KIB: (u32, u32) = (200 * 1024, 100 * 1024);
/// Those of a guest; and those of all guests, since whoever wants is as many guests as they want.
const UPLOADS_OF_GUEST_KIB: (u32, u32) = (40 * 1024, 20 * 1024);
const UPLOADS_OF_GUESTS_KIB: (u32, u32) = (1024 * 1024, 256 * 1024);
/// New guests in all: bursts of 200, then 20 a second.
const GUESTS: (u32, u32) = (20, 200);
/// How many admissions between two cleanings of the tables.
const CLEAN_EVERY: u32 = 10_000;

/// The limits of one node. `messages_per_second` 0 switches off those of messages, rooms and uploads.
pub struct Limits {
    messages: Option<DefaultKeyedRateLimiter<UserId>>,
    sign_ins: DefaultKeyedRateLimiter<String>,
    rooms: DefaultKeyedRateLimiter<UserId>,
    signals: DefaultKeyedRateLimiter<UserId>,
    searches: DefaultKeyedRateLimiter<UserId>,
    searches_of_visitors: DefaultDirectRateLimiter,
    uploads: DefaultKeyedRateLimiter<UserId>,
    uploads_of_guest: DefaultKeyedRateLimiter<UserId>,
    uploads_of_guests: DefaultDirectRateLimiter,
    guests: DefaultDirectRateLimiter,
    clock: DefaultClock,
    admitted: AtomicU32,
}

fn hourly((an_hour, at_once): (u32, u32)) -> Quota {
    Quota::per_hour(count(an_hour)).allow_burst(count(at_once))
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
            rooms: RateLimiter::keyed(Quota::per_hour(count(ROOMS.0)).allow_burst(count(ROOMS.1))),
            signals: RateLimiter::keyed(Quota::per_second(count(SIGNALS.0)).allow_burst(count(SIGNALS.1))),
            searches: RateLimiter::keyed(Quota::per_second(count(SEARCHES.0)).allow_burst(count(SEARCHES.1))),
            searches_of_visitors: RateLimiter::direct(
                Quota::per_second(count(SEARCHES_OF_VISITORS.0)).allow_burst(count(SEARCHES_OF_VISITORS.1)),
            ),
            uploads: RateLimiter::keyed(hourly(UPLOADS_KIB)),
            uploads_of_guest: RateLimiter::keyed(hourly(UPLOADS_OF_GUEST_KIB)),
            uploads_of_guests: RateLimiter::direct(hourly(UPLOADS_OF_GUESTS_KIB)),
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

    /// One more room by an account.
    pub fn room(&self, user: UserId) -> Result<(), ApiError> {
        if self.messages.is_none() {
            return Ok(());
        }
        self.rooms.check_key(&user).map_err(|until| self.wait(&until))
    }

    /// So many more bytes by an account.
    pub fn upload(&self, user: &User, bytes: usize) -> Result<(), ApiError> {
        if self.messages.is_none() {
            return Ok(());
        }
        self.clean();
        let kib = count(u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX));
        let of_account = if user.guest { &self.uploads_of_guest } else { &self.uploads };
        let admitted = of_account.check_key_n(&user.id, kib).map_err(|_| ApiError::FileTooLarge)?;
        admitted.map_err(|until| self.wait(&until))?;
        if user.guest {
            let admitted = self.uploads_of_guests.check_n(kib).map_err(|_| ApiError::FileTooLarge)?;
            admitted.map_err(|until| self.wait(&until))?;
        }
        Ok(())
    }

    /// One more typing or read marker by an account.
    pub fn signal(&self, user: UserId) -> Result<(), ApiError> {
        self.clean();
        self.signals.check_key(&user).map_err(|until| self.wait(&until))
    }

    /// One more search by an account, or by a visitor.
    pub fn search(&self, user: Option<UserId>) -> Result<(), ApiError> {
        self.clean();
        let asked = match user {
            Some(user) => self.searches.check_key(&user),
            None => self.searches_of_visitors.check(),
        };
        asked.map_err(|until| self.wait(&until))
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
            self.rooms.retain_recent();
            self.signals.retain_recent();
            self.searches.retain_recent();
            self.uploads.retain_recent();
            self.uploads_of_guest.retain_recent();
            if let Some(messages) = &self.messages {
                messages.retain_recent();
            }
        }
    }
}
