//! The second reading: each reader's way through each room, beside the room as
//! it is.

use super::{Place, Promise, Verdict, archive::Archive};
use crate::{
    history::{Client, Line, Room, Shown, What},
    position::Position,
};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Where a reader is in a room.
struct Reader {
    /// It has everything up to here…
    mine: Position,
    /// …which is this many of the room's events.
    next: usize,
    /// Where it began: what comes before was never asked for.
    first: usize,
    /// Events that it passed over.
    missing: BTreeSet<usize>,
}

pub(super) struct Readers<'a> {
    archive: &'a Archive,
    readers: HashMap<(Client, Room), Reader>,
    /// Up to where a client's last reading of a room's end was complete.
    read: HashMap<(Client, Room), Position>,
}

impl<'a> Readers<'a> {
    pub fn new(archive: &'a Archive) -> Self {
        Self { archive, readers: HashMap::new(), read: HashMap::new() }
    }

    pub fn take(&mut self, line: Line, verdict: &mut Verdict) {
        let (micros, client) = (line.micros, line.client);
        match line.what {
            What::Subscribe { r, since: Some(since), .. } => self.go_on(client, r, since, micros, verdict),
            // Which position it begins at is told by the answer.
            What::Subscribe { r, since: None, .. } => drop(self.readers.remove(&(client, r))),
            What::Subscribed { r, at } => {
                if let Some(events) = self.archive.rooms.get(&r) {
                    self.readers.entry((client, r)).or_insert_with(|| Reader::at(at, events));
                }
            }
            What::Resync { .. } => verdict.resyncs += 1,
            What::Event { r, at, prev, e } => {
                verdict.shown += 1;
                self.event((micros, client, r, at), prev, &e, verdict);
            }
            What::Page { r, after, at, more, m, .. } => {
                self.page((micros, client, r, at), after, &m, verdict);
                if !more && let Some(before) = self.read.insert((client, r), at).filter(|before| *before > at) {
                    verdict.found(Promise::Disagreement, || {
                        format!("{}: an earlier page went up to {before}", Place(micros, client, r, at))
                    });
                }
            }
            What::StoreBack {} => self.read.clear(),
            What::End { r } => self.end(client, r, verdict),
            _ => {}
        }
    }

    /// A reader says up to where it knows everything: that must be where we have seen it come to.
    fn go_on(&mut self, client: Client, r: Room, since: Position, micros: u64, verdict: &mut Verdict) {
        let Some(events) = self.archive.rooms.get(&r) else { return };
        let reader = self.readers.entry((client, r)).or_insert_with(|| Reader::at(since, events));
        if reader.mine != since {
            let mine = reader.mine;
            verdict.found(Promise::Hole, || {
                format!("{}: it goes on there, but has everything up to {mine} only", Place(micros, client, r, since))
            });
            *reader = Reader::at(since, events);
        }
    }

    fn event(
        &mut self,
        (micros, client, r, at): (u64, Client, Room, Position),
        prev: Option<Position>,
        shown: &Shown,
        verdict: &mut Verdict,
    ) {
        let place = Place(micros, client, r, at);
        self.check_membership(micros, client, r, at, verdict);
        let Some(events) = self.archive.rooms.get(&r) else { return };
        let Some(reader) = self.readers.get_mut(&(client, r)) else {
            return verdict.found(Promise::Phantom, || format!("{place}: shown without having been asked for"));
        };
        if at <= reader.mine {
            let mut before = (reader.first..reader.next).filter(|index| events[*index].1 == *shown);
            // One that was passed over comes late; one that was shown comes twice.
            let again = before.next().is_some_and(|index| !reader.missing.remove(&index));
            let promise = if again { Promise::Doubled } else { Promise::Inverted };
            let mine = reader.mine;
            return verdict.found(promise, || format!("{place}: shown after {mine}"));
        }
        let holds = prev.is_some_and(|prev| prev <= reader.mine);
        let found = events[reader.next..].iter().position(|(other, _)| *other >= at);
        match found.map(|skipped| (skipped, &events[reader.next + skipped])) {
            Some((skipped, (other, event))) if *other == at => {
                if event != shown {
                    verdict.found(Promise::Disagreement, || format!("{place}: {shown:?}, and in the end {event:?}"));
                }
                if skipped > 0 || !holds {
                    let mine = reader.mine;
                    verdict.found(Promise::Hole, || {
                        format!("{place}: {skipped} events are missing after {mine}; prev {prev:?}")
                    });
                }
                reader.missing.extend(reader.next..reader.next + skipped);
                reader.next += skipped + 1;
            }
            _ => {
                // Everything before it that is there and was not shown is missing all the same.
                let skipped = found.unwrap_or(events.len() - reader.next);
                verdict.found(Promise::Phantom, || format!("{place}: {shown:?} is not in the room's history"));
                if skipped > 0 {
                    verdict.found(Promise::Hole, || format!("{place}: {skipped} events are missing before it"));
                }
                reader.missing.extend(reader.next..reader.next + skipped);
                reader.next += skipped;
            }
        }
        reader.mine = at;
    }

    /// The page has every message in `(after, at]`, and nothing else.
    fn page(
        &mut self,
        (micros, client, r, at): (u64, Client, Room, Position),
        after: Position,
        page: &[(Uuid, Position)],
        verdict: &mut Verdict,
    ) {
        let Some(events) = self.archive.rooms.get(&r) else { return };
        if let Some(reader) = self.readers.get_mut(&(client, r))
            && after <= reader.mine
            && at > reader.mine
        {
            reader.mine = at;
            reader.next = beginning(at, events);
        }
        if let Some((_, newest)) = page.last() {
            self.check_membership(micros, client, r, *newest, verdict);
        }
        // A store that lags says that it does not reach to where was asked from: then it covers nothing.
        let covered = beginning(after, events)..beginning(at, events);
        let covered = events.get(covered).unwrap_or_default().iter();
        let covered = covered.filter_map(|(at, e)| if let Shown::M(id) = e { Some((*id, *at)) } else { None });
        if !covered.clone().eq(page.iter().copied()) {
            let (there, told) = (covered.clone().count(), page.len());
            let different = covered.zip(page).find(|(a, b)| a != *b);
            verdict.found(Promise::Disagreement, || {
                format!(
                    "{}: a page after {after} has {told} messages of {there}; first difference {different:?}",
                    Place(micros, client, r, at)
                )
            });
        }
    }

    fn check_membership(&self, micros: u64, client: Client, r: Room, at: Position, verdict: &mut Verdict) {
        let Some(absences) = self.archive.absences.get(&(client, r)) else { return };
        if let Some(absence) = absences.iter().find(|a| at > a.from && micros < a.until_micros) {
            let from = absence.from;
            verdict
                .found(Promise::Leak, || format!("{}: they had been removed at {from}", Place(micros, client, r, at)));
        }
    }

    fn end(&mut self, client: Client, r: Room, verdict: &mut Verdict) {
        let Some(events) = self.archive.rooms.get(&r) else { return };
        let missing = match self.readers.get(&(client, r)) {
            Some(reader) => events.len() - reader.next,
            None => events.len(),
        };
        if missing > 0 {
            verdict.found(Promise::Hole, || {
                format!("client {client} in room {r}: in the end the last {missing} events were never shown")
            });
        }
    }
}

impl Reader {
    fn at(mine: Position, events: &[(Position, Shown)]) -> Self {
        let next = beginning(mine, events);
        Self { mine, next, first: next, missing: BTreeSet::new() }
    }
}

/// The first event after a position.
fn beginning(after: Position, events: &[(Position, Shown)]) -> usize {
    events.partition_point(|(at, _)| *at <= after)
}
