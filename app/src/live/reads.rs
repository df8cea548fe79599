//! Which rooms are being read anew: one read at a time, and never one after the other without a pause. Pure.

use super::backoff::read_again_ms;
use crate::{
    model::{Millis, RoomId},
    protocol::ResyncReason,
};
use std::collections::HashMap;

/// A read within this time of the one before is in a row with it.
const IN_A_ROW_MS: Millis = 60_000;

/// Of all rooms of the tab, over its connections.
#[derive(Debug, Default)]
pub struct Reads(HashMap<RoomId, Reading>);

#[derive(Debug)]
struct Reading {
    /// Why, while it is under way and nothing has made it needless.
    wanted: Option<ResyncReason>,
    under_way: bool,
    ended_at: Millis,
    /// How many there were in a row.
    row: u32,
}

impl Reads {
    /// A room is to be read anew: after so many milliseconds, or by the read that is under way.
    pub fn begin(&mut self, room: RoomId, reason: ResyncReason, now: Millis, random: f64) -> Option<u64> {
        let first = || Reading { wanted: None, under_way: false, ended_at: now - IN_A_ROW_MS, row: 0 };
        let reading = self.0.entry(room).or_insert_with(first);
        // A new generation of the log outweighs the rest: it says that positions cannot be compared.
        reading.wanted = if reading.wanted == Some(ResyncReason::Epoch) { reading.wanted } else { Some(reason) };
        if reading.under_way {
            return None;
        }
        reading.under_way = true;
        if now - reading.ended_at >= IN_A_ROW_MS {
            reading.row = 0;
            return Some(0);
        }
        reading.row += 1;
        Some(read_again_ms(reading.row - 1, random))
    }

    /// Why the room is to be read anew; none: no longer.
    pub fn wanted(&self, room: RoomId) -> Option<ResyncReason> {
        self.0.get(&room)?.wanted
    }

    /// The room is heard of again without.
    pub fn needless(&mut self, room: RoomId) {
        if let Some(reading) = self.0.get_mut(&room) {
            reading.wanted = None;
        }
    }

    /// The read is over, whatever came of it.
    pub fn ended(&mut self, room: RoomId, now: Millis) {
        if let Some(reading) = self.0.get_mut(&room) {
            (reading.wanted, reading.under_way, reading.ended_at) = (None, false, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ResyncReason::{Epoch, TooOld};

    #[test]
    fn a_room_is_read_by_one_at_a_time() {
        let (room, mut reads) = (RoomId::new(), Reads::default());
        assert_eq!(reads.begin(room, TooOld, 0, 1.0), Some(0));
        assert_eq!(reads.begin(room, TooOld, 10, 1.0), None);
        assert_eq!(reads.begin(RoomId::new(), TooOld, 10, 1.0), Some(0));
        reads.ended(room, 20);
        assert_eq!(reads.wanted(room), None);
        assert!(reads.begin(room, TooOld, 30, 1.0).is_some());
    }

    #[test]
    fn reads_in_a_row_are_ever_further_apart() {
        let (room, mut reads, mut now) = (RoomId::new(), Reads::default(), 0);
        let mut waits = vec![];
        for _ in 0..8 {
            let wait = reads.begin(room, TooOld, now, 1.0);
            waits.extend(wait);
            now += wait.map_or(0, |wait| wait as Millis) + 100;
            reads.ended(room, now);
        }
        assert_eq!(waits, [0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(reads.begin(room, TooOld, now + IN_A_ROW_MS, 1.0), Some(0));
    }

    #[test]
    fn a_read_that_waits_is_called_off_when_the_room_is_heard_of_again() {
        let (room, mut reads) = (RoomId::new(), Reads::default());
        reads.begin(room, TooOld, 0, 1.0);
        reads.needless(room);
        assert_eq!(reads.wanted(room), None);
        // Until it is needed after all.
        assert_eq!(reads.begin(room, TooOld, 5, 1.0), None);
        assert_eq!(reads.wanted(room), Some(TooOld));
    }

    #[test]
    fn a_new_generation_of_the_log_is_not_forgotten_over_a_later_reason() {
        let (room, mut reads) = (RoomId::new(), Reads::default());
        reads.begin(room, Epoch, 0, 1.0);
        reads.begin(room, TooOld, 1, 1.0);
        assert_eq!(reads.wanted(room), Some(Epoch));
    }
}
