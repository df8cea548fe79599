//! The connection that listens: one of its own, since a flood of events must not hold up answers.

use super::{
    claims::RedisClaims,
    client::{ANSWER, CONNECT},
    keys::{Keys, published},
};
use crate::fanout::{FanoutError, Signal, signals::Signals};
use app::model::RoomId;
use redis::{AsyncConnectionConfig, Client, PushInfo, PushKind, RedisResult, Value, aio::MultiplexedConnection, cmd};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// How often the connection is asked whether it still is one.
const PING_EVERY: Duration = Duration::from_millis(200);
/// After so long without an answer nobody relies on it any more ([`crate::fanout::Fanout::hearing`]). It is given up
/// only after [`ANSWER`]: a Redis that was merely busy finds its subscriptions as they were.
const SUSPECT: Duration = Duration::from_millis(400);
/// So late a busy process may be itself.
const LATE: Duration = Duration::from_millis(100);
/// Pause before the first attempt to connect again; doubled each time, and a random part of it is waited.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(1);
/// How many channels one command subscribes to.
const CHANNELS: usize = 512;

/// Keeps Redis' subscriptions as the hub wants them, over lost connections too.
pub(super) struct Listener {
    wishes: Arc<Wishes>,
    hearing: watch::Receiver<bool>,
    _task: AbortOnDropHandle<()>,
}

impl Listener {
    /// Connects and begins to listen to the notices.
    pub(super) async fn start(
        client: Client,
        keys: Keys,
        signals: Arc<Signals>,
        claims: Arc<RedisClaims>,
    ) -> Result<Self, FanoutError> {
        let wishes = Arc::new(Wishes::default());
        let (hearing, heard) = watch::channel(false);
        let task = Task { client, keys, signals, claims, wishes: wishes.clone(), hearing };
        let live = task.connect().await.map_err(super::commands::failed)?;
        // Known before the first room is watched.
        wishes.begin();
        task.hearing.send_replace(true);
        Ok(Self { wishes, hearing: heard, _task: AbortOnDropHandle::new(tokio::spawn(task.run(live))) })
    }

    pub(super) fn hearing(&self) -> watch::Receiver<bool> {
        self.hearing.clone()
    }

    pub(super) async fn watch(&self, room: RoomId) -> Result<(), FanoutError> {
        let done = self.wishes.change(room, true).ok_or_else(away)?;
        match timeout(2 * ANSWER, done).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(away()),
        }
    }

    pub(super) async fn unwatch(&self, room: RoomId) {
        if let Some(done) = self.wishes.change(room, false) {
            // Without an answer the connection goes, and with it the subscription.
            let _ = timeout(2 * ANSWER, done).await;
        }
    }

    /// Whether there is a connection just now.
    pub(super) fn check(&self) -> Result<(), FanoutError> {
        if self.wishes.lock().connected { Ok(()) } else { Err(away()) }
    }
}

fn away() -> FanoutError {
    FanoutError("the connection for live events is lost; it is being made again".into())
}

/// Which rooms are to be heard. The callers write, the task makes it so: thus two calls cannot overtake each other on
/// the way to Redis.
#[derive(Default)]
struct Wishes {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    connected: bool,
    wanted: HashSet<RoomId>,
    /// Rooms to look at again. Empty while there is no connection: the next one begins with all that is wanted.
    changed: HashSet<RoomId>,
    /// Callers, each with one change among `changed`.
    waiting: Vec<oneshot::Sender<()>>,
}

impl Wishes {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes it. `None`: it is done once there is a connection again.
    fn change(&self, room: RoomId, wanted: bool) -> Option<oneshot::Receiver<()>> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.lock();
            if wanted {
                state.wanted.insert(room);
            } else {
                state.wanted.remove(&room);
            }
            if !state.connected {
                return None;
            }
            state.changed.insert(room);
            state.waiting.push(sender);
        }
        self.changed.notify_one();
        Some(receiver)
    }

    /// A connection is there: from now on changes are noted, and these rooms come first.
    fn begin(&self) -> Vec<RoomId> {
        let mut state = self.lock();
        state.connected = true;
        state.wanted.iter().copied().collect()
    }

    /// The connection is gone, and so is the hope of those who wait.
    fn end(&self) {
        let mut state = self.lock();
        state.connected = false;
        state.changed.clear();
        state.waiting.clear();
    }
}

/// A connection that listens.
struct Live {
    connection: MultiplexedConnection,
    /// The connection was lost, or is to be heard no more.
    over: CancellationToken,
    subscribed: HashSet<RoomId>,
}

impl Drop for Live {
    fn drop(&mut self) {
        // What its task still reads must not mingle with what the next connection hears.
        self.over.cancel();
    }
}

struct Task {
    client: Client,
    keys: Keys,
    signals: Arc<Signals>,
    claims: Arc<RedisClaims>,
    wishes: Arc<Wishes>,
    hearing: watch::Sender<bool>,
}

impl Task {
    /// Listens for ever; ends when its owner drops it.
    async fn run(self, first: Live) {
        let mut live = first;
        let mut again = false;
        loop {
            let Err(e) = self.hear(live, again).await;
            self.hearing.send_replace(false);
            self.wishes.end();
            self.claims.lose();
            tracing::warn!(error = %e, "the connection for live events is lost");
            live = self.connect_again().await;
            // What others claimed meanwhile may have gone with the Redis that it was told to.
            self.claims.lose();
            tracing::info!("the connection for live events is there again");
            again = true;
        }
    }

    /// Tries until it succeeds.
    async fn connect_again(&self) -> Live {
        let mut pause = FIRST_PAUSE;
        loop {
            // All nodes lost it in the same moment: they must not come back in the same moment.
            sleep(pause.mul_f64(rand::random::<f64>())).await;
            pause = (pause * 2).min(LAST_PAUSE);
            match self.connect().await {
                Ok(live) => return live,
                Err(e) => tracing::debug!(error = %e, "no connection for live events yet"),
            }
        }
    }

    /// Connects and subscribes to the notices.
    async fn connect(&self) -> RedisResult<Live> {
        let over = CancellationToken::new();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            // Called where the connection is read: nothing queues up between Redis and the bounded signals.
            .set_push_sender({
                let (keys, signals, over) = (self.keys.clone(), self.signals.clone(), over.clone());
                move |push: PushInfo| {
                    if push.kind == PushKind::Disconnection {
                        over.cancel();
                    } else if !over.is_cancelled() {
                        hear_push(&keys, &signals, push);
                    }
                    Ok::<(), std::convert::Infallible>(())
                }
            });
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        // For operators: `CLIENT LIST` tells it apart. Where that is forbidden, it has no name.
        let _: RedisResult<()> =
            cmd("CLIENT").arg("SETNAME").arg(self.keys.notices()).query_async(&mut connection).await;
        connection.subscribe(self.keys.notices()).await?;
        Ok(Live { connection, over, subscribed: HashSet::new() })
    }

    /// Serves one connection until it fails.
    async fn hear(&self, mut live: Live, again: bool) -> RedisResult<std::convert::Infallible> {
        let rooms = self.wishes.begin();
        self.subscribe(&mut live, rooms).await?;
        if again {
            self.heard_again();
        }
        let over = live.over.clone();
        let mut ping = interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = over.cancelled() => return Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into()),
                () = self.wishes.changed.notified() => self.follow(&mut live).await?,
                _ = ping.tick() => self.ping(&mut live).await?,
            }
        }
    }

    /// Answers come behind what was pushed before them: while they come, everything does.
    async fn ping(&self, live: &mut Live) -> RedisResult<()> {
        let over = live.over.clone();
        let command = cmd("PING");
        let mut answer = std::pin::pin!(command.exec_async(&mut live.connection));
        let asked = Instant::now();
        let mut patience = SUSPECT;
        loop {
            tokio::select! {
                () = over.cancelled() => return Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into()),
                answered = timeout(patience, &mut answer) => match answered {
                    Ok(answered) => return answered,
                    // We ourselves were not called in time: the answer may lie there unread.
                    Err(_) if patience == SUSPECT && asked.elapsed() > SUSPECT + LATE => patience = LATE,
                    Err(_) => break,
                },
            }
        }
        self.hearing.send_replace(false);
        answer.await?;
        self.heard_again();
        Ok(())
    }

    /// Only when the rooms are watched again: heads that are compared before that would leave a hole behind them.
    fn heard_again(&self) {
        self.hearing.send_replace(true);
        self.signals.tell_gap();
    }

    /// Makes the subscriptions as they are wanted by now.
    async fn follow(&self, live: &mut Live) -> RedisResult<()> {
        let (subscribe, unsubscribe, waiting) = {
            let mut state = self.wishes.lock();
            let changed = std::mem::take(&mut state.changed);
            let (wanted, not): (Vec<_>, Vec<_>) = changed.into_iter().partition(|room| state.wanted.contains(room));
            (wanted, not, std::mem::take(&mut state.waiting))
        };
        self.subscribe(live, subscribe).await?;
        self.unsubscribe(live, unsubscribe).await?;
        for caller in waiting {
            // One that no longer waits has its wish all the same.
            let _ = caller.send(());
        }
        Ok(())
    }

    // `SUBSCRIBE` reaches every channel on a single Redis and on every node of a Redis Cluster. There, `SSUBSCRIBE` and
    // `SPUBLISH` would keep an event on its own shard; they want one command for each slot.
    async fn subscribe(&self, live: &mut Live, mut rooms: Vec<RoomId>) -> RedisResult<()> {
        rooms.retain(|room| !live.subscribed.contains(room));
        for some in rooms.chunks(CHANNELS) {
            live.connection.subscribe(self.channels(some)).await?;
            live.subscribed.extend(some);
        }
        Ok(())
    }

    async fn unsubscribe(&self, live: &mut Live, mut rooms: Vec<RoomId>) -> RedisResult<()> {
        rooms.retain(|room| live.subscribed.remove(room));
        for some in rooms.chunks(CHANNELS) {
            live.connection.unsubscribe(self.channels(some)).await?;
        }
        Ok(())
    }

    fn channels(&self, rooms: &[RoomId]) -> Vec<String> {
        rooms.iter().map(|room| self.keys.live(*room)).collect()
    }
}

/// Reads what Redis pushed: an event or a notice. Anything else, subscriptions confirmed for example, is no signal.
fn hear_push(keys: &Keys, signals: &Signals, push: PushInfo) {
    if push.kind != PushKind::Message {
        return;
    }
    let mut data = push.data.into_iter();
    let (Some(Value::BulkString(channel)), Some(Value::BulkString(message))) = (data.next(), data.next()) else {
        return;
    };
    let signal = match keys.room_of(&channel) {
        Some(room) => published(message).map(|event| Signal::Event { room, event }),
        None => serde_json::from_slice(&message).ok().map(Signal::Notice),
    };
    match signal {
        Some(signal) => signals.offer(signal),
        None => tracing::warn!("a message on a live channel could not be read; it is left out"),
    }
}
