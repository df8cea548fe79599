//! What every client did, was told and was shown: JSON lines in a file.
//!
//! The order of the lines is the order of time: an answer is written down after
//! it has come, a request before it goes out. Thus if an answer stands before a
//! request, the request was made by somebody who could know the answer.

use crate::position::Position;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};
use uuid::Uuid;

/// A client, by number. One that resumes elsewhere stays the same client.
pub type Client = u32;
/// A room, by number.
pub type Room = u32;
/// A node, by number.
pub type Node = u16;

/// One line: when, who, what. As JSON `[microseconds, client, {what}]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "(u64, Client, What)", into = "(u64, Client, What)")]
pub struct Line {
    /// Microseconds since the history began, by a clock that only rises.
    pub micros: u64,
    /// Whose line it is; 0: of whoever runs the experiment.
    pub client: Client,
    /// What happened.
    pub what: What,
}

impl From<(u64, Client, What)> for Line {
    fn from((micros, client, what): (u64, Client, What)) -> Self {
        Self { micros, client, what }
    }
}

impl From<Line> for (u64, Client, What) {
    fn from(line: Line) -> Self {
        (line.micros, line.client, line.what)
    }
}

/// What happened. The names are short, since there are millions of lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// This client is this person.
    Is {
        /// The user name.
        user: String,
    },
    /// A room was made. What is not written down as made is not judged.
    Room {
        /// Its number.
        r: Room,
        /// Its id.
        id: Uuid,
        /// Anyone may read.
        public: bool,
    },
    /// A message goes out, for the first time or again.
    Post {
        /// The room.
        r: Room,
        /// The message's id.
        i: Uuid,
        /// To which node.
        n: Node,
    },
    /// It is acknowledged.
    Ack {
        /// The room.
        r: Room,
        /// The message's id.
        i: Uuid,
        /// By which node.
        n: Node,
        /// At this position.
        at: Position,
    },
    /// No acknowledgement.
    No {
        /// The room.
        r: Room,
        /// The message's id.
        i: Uuid,
        /// From which node.
        n: Node,
        /// The answer's status; 0: none came.
        s: u16,
        /// The answer said that the log does not have it.
        never: bool,
    },
    /// A socket asks for a room.
    Subscribe {
        /// The room.
        r: Room,
        /// At which node.
        n: Node,
        /// Everything up to here is known.
        since: Option<Position>,
    },
    /// The subscription stands.
    Subscribed {
        /// The room.
        r: Room,
        /// Live events come after this.
        at: Position,
    },
    /// An event was shown.
    Event {
        /// The room.
        r: Room,
        /// Where.
        at: Position,
        /// Where the room's event before it is said to be.
        prev: Option<Position>,
        /// Which kind.
        e: Shown,
    },
    /// What was missed cannot be given: the client reads the history and comes again.
    Resync {
        /// The room.
        r: Room,
    },
    /// The room is not for this client (any more).
    Denied {
        /// The room.
        r: Room,
    },
    /// The connection ended.
    Closed {
        /// Its close code; 0: it broke.
        code: u16,
    },
    /// A page of history was read.
    Page {
        /// The room.
        r: Room,
        /// At which node.
        n: Node,
        /// What comes after this was asked for.
        after: Position,
        /// Everything up to here is in the page or before it.
        at: Position,
        /// There are newer ones.
        more: bool,
        /// 0: a single page. Else the number of a reading of the whole room, page by page.
        whole: u32,
        /// The messages, oldest first.
        m: Vec<(Uuid, Position)>,
    },
    /// Somebody is about to become a member: from now on they may be shown anything.
    Joining {
        /// The room.
        r: Room,
        /// The user name.
        user: String,
    },
    /// Somebody was removed, said the answer.
    Removed {
        /// The room.
        r: Room,
        /// The user name.
        user: String,
        /// Here.
        at: Position,
    },
    /// All is quiet, and this client was given all the time it needs: it must have everything.
    End {
        /// The room.
        r: Room,
    },
    /// The store is put back to what it had a while ago: until it has caught up, a page may cover less than one before.
    StoreBack {},
    /// For people who read the file: a fault begins, a fault ends.
    Note {
        /// What.
        text: String,
    },
}

/// What an event showed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// A message.
    M(Uuid),
    /// Somebody is no longer a member.
    Left(String),
    /// Anything else, by its kind.
    K(String),
}

/// Writes a history. Shared by all clients.
pub struct Recorder {
    begun: Instant,
    path: PathBuf,
    clients: AtomicU32,
    out: Mutex<Out>,
}

struct Out {
    file: BufWriter<File>,
    failed: Option<io::Error>,
}

impl Recorder {
    /// Begins a history in a new file.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let out = Out { file: BufWriter::with_capacity(256 * 1024, File::create(path)?), failed: None };
        Ok(Self { begun: Instant::now(), path: path.to_owned(), clients: AtomicU32::new(1), out: Mutex::new(out) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A number for one more client.
    pub fn client(&self, user: &str) -> Client {
        let client = self.clients.fetch_add(1, Ordering::Relaxed);
        self.write(client, What::Is { user: user.to_owned() });
        client
    }

    /// Writes a line. A disk that fails is told by [`Recorder::flush`].
    pub fn write(&self, client: Client, what: What) {
        let line = Line { micros: self.begun.elapsed().as_micros() as u64, client, what };
        let mut text = serde_json::to_vec(&line).expect("a line is plain data");
        text.push(b'\n');
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(e) = out.file.write_all(&text) {
            out.failed.get_or_insert(e);
        }
    }

    /// Everything that was written is in the file.
    ///
    /// # Errors
    /// The first error of any write: then the history has a hole and proves nothing.
    pub fn flush(&self) -> io::Result<()> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        match out.failed.take() {
            Some(e) => Err(e),
            None => out.file.flush(),
        }
    }
}

/// The lines of a history's file.
///
/// # Errors
/// The file cannot be opened; each line: it cannot be read or is not a line.
pub fn read(path: &Path) -> io::Result<impl Iterator<Item = io::Result<Line>> + use<>> {
    let file = BufReader::with_capacity(256 * 1024, File::open(path)?);
    Ok(file.lines().map(|line| serde_json::from_str(&line?).map_err(io::Error::from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let recorder = Recorder::create(&dir.path().join("history")).unwrap();
        let ada = recorder.client("ada");
        let at = Position::first(7);
        let written = [
            What::Event { r: 1, at, prev: None, e: Shown::M(Uuid::now_v7()) },
            What::Event { r: 1, at, prev: Some(Position::START), e: Shown::Left("lin".into()) },
            What::Page { r: 1, n: 2, after: at, at, more: true, whole: 0, m: vec![(Uuid::now_v7(), at)] },
            What::Closed { code: 4408 },
        ];
        written.iter().for_each(|what| recorder.write(ada, what.clone()));
        recorder.flush().unwrap();
        let read: Vec<Line> = read(recorder.path()).unwrap().map(Result::unwrap).collect();
        assert!(read.iter().all(|line| line.client == ada));
        assert_eq!(read.into_iter().skip(1).map(|line| line.what).collect::<Vec<_>>(), written);
    }
}
