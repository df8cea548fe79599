//! Subscribers that leave and come back: some are always on their way, and miss nothing meanwhile.

use super::{State, Subs, connect};
use anyhow::Result;
use rustix::event::epoll;
use std::{
    collections::VecDeque,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

/// Who is away, and whose turn it is.
#[derive(Default)]
pub(super) struct Churn {
    /// Somebody wants it: positions are remembered.
    pub(super) on: bool,
    next: usize,
    due: Option<Instant>,
    /// In order of when they come back.
    away: VecDeque<(Instant, usize)>,
}

/// How long one is away: some come back at once, some after a second and a half.
fn away(turn: usize) -> Duration {
    Duration::from_millis(turn as u64 * 37 % 3 * 500 + 250)
}

impl Subs {
    /// Lets go whose turn it is, and brings back whose time has come.
    pub(super) fn come_and_go(&mut self) -> Result<()> {
        let per_second = self.shared.churn.load(Relaxed);
        if per_second == 0 {
            return Ok(());
        }
        let now = Instant::now();
        self.churn.on = true;
        let mut due = *self.churn.due.get_or_insert(now);
        while due <= now && !self.conns.is_empty() {
            due += Duration::from_secs(1) / u32::try_from(per_second)?;
            let turn = self.churn.next;
            self.churn.next += 1;
            let i = turn % self.conns.len();
            // Who has not heard of any position yet would come back without one.
            if self.conns[i].state == State::Ready && self.conns[i].since.is_some() {
                let c = &mut self.conns[i];
                // Half a frame is lost with its connection; all of it comes again.
                (c.socket, c.carry, c.partial) = (None, vec![], vec![]);
                let back = now + away(turn);
                let place = self.churn.away.iter().rposition(|(at, _)| *at <= back).map_or(0, |place| place + 1);
                self.churn.away.insert(place, (back, i));
            }
        }
        self.churn.due = Some(due);
        while self.churn.away.front().is_some_and(|(back, _)| *back <= now) {
            let Some((_, i)) = self.churn.away.pop_front() else { break };
            self.come_back(i)?;
        }
        Ok(())
    }

    fn come_back(&mut self, i: usize) -> Result<()> {
        let index = self.indices[i];
        let socket = connect(self.target.ws_addr(index), index)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP;
        epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(i as u64), flags)?;
        let c = &mut self.conns[i];
        (c.socket, c.state) = (Some(socket), State::Handshake);
        self.pending += 1;
        let request = self.target.upgrade(index, &self.rooms[self.conns[i].room as usize]);
        self.send(i, &request);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::away;

    #[test]
    fn some_are_back_soon_and_some_are_long_away() {
        let times: std::collections::HashSet<_> = (0..10).map(away).collect();
        assert_eq!(times.len(), 3, "{times:?}");
    }
}
