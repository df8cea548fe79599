//! Keeps the watched rooms complete: compares heads every now and then, and
//! follows the log while the fan-out is away, has gone back, or is told nothing.

use super::{
    Sources, compare,
    compare::Compared,
    connections::Connections,
    follow::Follow,
    rooms::{Rooms, TaskId},
    standstill::{self, Lacking},
};
use crate::{fanout::Signal, log::Followed};
use std::{
    collections::{BTreeMap, HashSet},
    future::pending,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

/// How often heads are compared: a quiet room's lost last message is found within this.
const COMPARE_EVERY: Duration = Duration::from_secs(5);
/// The same while the log is followed and the fan-out is heard again, at first; doubled up to [`COMPARE_EVERY`].
const COMPARE_SOON: Duration = Duration::from_millis(200);
/// How soon a room that is first watched while the log is followed gets what the log has.
const TICK: Duration = Duration::from_millis(100);
/// How soon the log is tried again when it cannot be followed.
const FOLLOW_AGAIN: Duration = Duration::from_millis(250);
/// While nothing is heard, each connection's session is asked for so often: its end would not be told.
pub(super) const ASK_SESSIONS_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Keeper {
    pub sources: Arc<Sources>,
    pub rooms: Arc<Rooms>,
    pub connections: Arc<Connections>,
    /// Something may have been missed.
    pub gap: Arc<Notify>,
}

/// What the keeper knows and does.
struct State {
    /// Before these offsets `complete` rooms are complete.
    complete_before: BTreeMap<u32, u64>,
    complete: HashSet<TaskId>,
    quiet: HashSet<TaskId>,
    comparing: JoinSet<Compared>,
    compare_at: Instant,
    pause: Duration,
    follow: Option<Follow>,
    follow_at: Option<Instant>,
    /// The last following failed, and nothing has come since.
    failed: bool,
    looking: JoinSet<Lacking>,
    lacking: Lacking,
}

impl Keeper {
    /// Until it is dropped.
    pub async fn run(self) {
        let mut hearing = self.sources.fanout.hearing();
        let mut state = State {
            complete_before: BTreeMap::new(),
            complete: HashSet::new(),
            quiet: HashSet::new(),
            comparing: JoinSet::new(),
            compare_at: Instant::now(),
            pause: COMPARE_EVERY,
            follow: None,
            follow_at: None,
            failed: false,
            looking: JoinSet::new(),
            lacking: Lacking::new(),
        };
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = interval(standstill::LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticks = 0_u64;
        let mut ask_until = Instant::now();
        if !*hearing.borrow_and_update() {
            self.lost(&mut state);
        }
        loop {
            let heard = *hearing.borrow();
            tokio::select! {
                changed = hearing.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    if *hearing.borrow_and_update() {
                        state.compare_now();
                    } else {
                        self.lost(&mut state);
                    }
                }
                () = self.gap.notified() => state.compare_now(),
                () = sleep_until(state.compare_at), if heard && state.comparing.is_empty() => {
                    if let Some(follow) = &mut state.follow {
                        follow.heard_again();
                        state.quiet = follow.rooms();
                    }
                    let quiet = std::mem::take(&mut state.quiet);
                    state.comparing.spawn(compare::compare(self.sources.clone(), self.rooms.clone(), quiet));
                }
                Some(compared) = state.comparing.join_next() => self.compared(&mut state, compared.unwrap_or_default()),
                _ = look.tick(), if heard && state.follow.is_none() && state.looking.is_empty() => {
                    state.looking.spawn(standstill::look(self.sources.clone(), self.rooms.clone()));
                }
                Some(lacking) = state.looking.join_next() => self.looked(&mut state, lacking.unwrap_or_default()),
                () = at(state.follow_at) => self.follow(&mut state).await,
                followed = next(&mut state.follow) => self.followed(&mut state, followed),
                _ = tick.tick() => {
                    ticks += 1;
                    if let Some(follow) = &mut state.follow {
                        follow.look_after_newcomers();
                    }
                    if !heard {
                        ask_until = Instant::now() + 2 * ASK_SESSIONS_EVERY;
                    }
                    if Instant::now() < ask_until {
                        self.ask_sessions(ticks);
                    }
                }
            }
        }
    }

    /// Nothing is heard any more.
    fn lost(&self, state: &mut State) {
        tracing::warn!("nothing is heard from the fan-out: the log is followed instead");
        metrics::gauge!("partyline_following_log").set(1.0);
        // What it says of the time before the loss is not to be mistaken for what it says after.
        state.comparing = JoinSet::new();
        self.sources.tell_node(&Signal::Gap);
        match &mut state.follow {
            Some(follow) => follow.not_heard(),
            None => state.follow_at = Some(Instant::now()),
        }
    }

    async fn follow(&self, state: &mut State) {
        state.follow_at = None;
        match Follow::begin(&self.sources, &self.rooms, &state.complete_before, &state.complete).await {
            Ok(follow) => {
                metrics::counter!("partyline_log_followings_total").increment(1);
                state.follow = Some(follow);
            }
            Err(e) => {
                tracing::warn!(error = %e, "the log cannot be followed");
                state.again();
            }
        }
    }

    fn followed(&self, state: &mut State, followed: Option<Followed>) {
        match (followed, &mut state.follow) {
            (Some(followed), Some(follow)) => {
                state.failed = false;
                follow.hand(followed);
            }
            (None, _) => {
                if let Some(follow) = state.follow.take() {
                    (state.complete_before, state.complete) = follow.into_progress();
                }
                state.again();
            }
            (Some(_), None) => {}
        }
    }

    fn compared(&self, state: &mut State, compared: Compared) {
        state.quiet = compared.quiet;
        state.pause =
            if state.follow.is_some() || !compared.all { (state.pause * 2).min(COMPARE_EVERY) } else { COMPARE_EVERY };
        state.compare_at = Instant::now() + state.pause;
        if !compared.all {
            return;
        }
        if let Some(follow) = &state.follow {
            if follow.is_needless(&compared.complete_before) {
                tracing::info!("the fan-out has caught up: the log is no longer followed");
                metrics::gauge!("partyline_following_log").set(0.0);
                state.follow = None;
            } else {
                return;
            }
        }
        // It has forgotten what it had: it was put back, or emptied.
        let back = |(p, known): (&u32, &u64)| compared.complete_before.get(p).is_none_or(|now| now < known);
        if state.complete_before.iter().any(|known| *known.1 > 0 && back(known)) {
            tracing::warn!("the fan-out went back to an earlier state: the log is followed until it has caught up");
            metrics::gauge!("partyline_following_log").set(1.0);
            state.follow_at.get_or_insert(Instant::now());
            return;
        }
        (state.complete_before, state.complete) = (compared.complete_before, compared.rooms);
    }

    fn looked(&self, state: &mut State, lacking: Lacking) {
        if standstill::is_it(&state.lacking, &lacking) && state.follow.is_none() {
            tracing::warn!("the relay stands still: the log is followed instead");
            metrics::gauge!("partyline_following_log").set(1.0);
            state.follow_at.get_or_insert(Instant::now());
        }
        state.lacking = lacking;
    }

    /// Some of the connections each time, so that the store is not asked for all at once.
    fn ask_sessions(&self, ticks: u64) {
        let turns = (ASK_SESSIONS_EVERY.as_millis() / TICK.as_millis()) as u64;
        if ticks.is_multiple_of(turns) {
            self.sources.tell_node(&Signal::Gap);
        }
        for connection in self.connections.all() {
            if connection.id() % turns == ticks % turns {
                connection.ask_session();
            }
        }
    }
}

impl State {
    fn compare_now(&mut self) {
        self.compare_at = Instant::now();
        self.pause = COMPARE_SOON;
    }

    /// The log could not be followed from where it was to be: soon again, and if that fails too, from its end.
    fn again(&mut self) {
        if std::mem::replace(&mut self.failed, true) {
            self.complete_before.clear();
            self.complete.clear();
        }
        self.follow_at = Some(Instant::now() + FOLLOW_AGAIN);
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}

async fn next(follow: &mut Option<Follow>) -> Option<Followed> {
    match follow {
        Some(follow) => follow.next().await,
        None => pending().await,
    }
}
