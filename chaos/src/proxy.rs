//! A TCP proxy on this machine that can be cut, delay and swallow, in each
//! direction by itself.

use crate::resp;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

/// What becomes of what is sent through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It arrives.
    Open,
    /// Connections are closed, those that are there and those that come.
    Closed,
    /// Connections stay and come, and nothing arrives; later what was sent meanwhile does.
    Hole,
    /// It arrives so much later.
    Delayed(Duration),
}

/// Which way something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the service.
    There = 0,
    /// From the service.
    Back = 1,
}

/// Stands before a service; gone when dropped.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    ways: watch::Sender<[Way; 2]>,
    vanished: watch::Sender<u64>,
    swallow: Arc<AtomicU64>,
    accepted: Arc<AtomicU64>,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Stands before `target` (host:port) and lets everything pass.
    ///
    /// # Errors
    /// No port is free.
    pub async fn before(target: String) -> io::Result<Self> {
        Self::on(TcpListener::bind("127.0.0.1:0").await?, target)
    }

    /// Stands before the host of an address like `scheme://user@host:port/path`, and says the address that leads
    /// through it.
    ///
    /// # Errors
    /// No port is free.
    ///
    /// # Panics
    /// It is no such address.
    pub async fn in_url(url: &str) -> io::Result<(Self, String)> {
        let rest = url.split_once("://").expect("an address").1;
        let host = rest.split('/').next().unwrap_or(rest);
        let target = host.rsplit('@').next().unwrap_or(host).to_owned();
        let proxy = Self::before(target.clone()).await?;
        let through = url.replace(&target, &proxy.address.to_string());
        Ok((proxy, through))
    }

    /// Listens where it is told.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn on(listener: TcpListener, target: String) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (ways, watched) = watch::channel([Way::Open; 2]);
        let swallow = Arc::new(AtomicU64::new(0));
        let accepted = Arc::new(AtomicU64::new(0));
        let (vanished, gone) = watch::channel(0);
        let carrier = Carrier { target, ways: watched, gone, swallow: swallow.clone() };
        let task = AbortOnDropHandle::new(tokio::spawn(serve(listener, carrier, accepted.clone())));
        Ok(Self { address, ways, vanished, swallow, accepted, _task: task })
    }

    /// Changes what becomes of everything, from now on.
    pub fn set(&self, way: Way) {
        self.ways.send_replace([way; 2]);
    }

    /// Changes what becomes of what goes one way. Closed is always both.
    pub fn set_one(&self, direction: Direction, way: Way) {
        self.ways.send_modify(|ways| ways[direction as usize] = way);
    }

    /// As if the host were gone and another had taken its place: the connections that are there stay, and nothing arrives
    /// by them ever again; those that come are well.
    pub fn vanish(&self) {
        self.vanished.send_modify(|times| *times += 1);
    }

    /// How many connections have come so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Before a Redis: the next so many published messages are lost on their way to those who listen, and nobody is
    /// told.
    pub fn swallow(&self, messages: u64) {
        self.swallow.store(messages, Ordering::Relaxed);
    }

    /// How many of them have not been lost yet.
    pub fn left_to_swallow(&self) -> u64 {
        self.swallow.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
struct Carrier {
    target: String,
    ways: watch::Receiver<[Way; 2]>,
    gone: watch::Receiver<u64>,
    swallow: Arc<AtomicU64>,
}

fn closed(ways: &[Way; 2]) -> bool {
    ways.contains(&Way::Closed)
}

async fn serve(listener: TcpListener, carrier: Carrier, accepted: Arc<AtomicU64>) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        accepted.fetch_add(1, Ordering::Relaxed);
        while connections.try_join_next().is_some() {}
        if !closed(&carrier.ways.borrow()) {
            connections.spawn(carrier.clone().carry(near));
        }
    }
}

impl Carrier {
    async fn carry(mut self, near: TcpStream) {
        let Ok(far) = TcpStream::connect(&self.target).await else { return };
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        let there = self.clone().copy(near_in, far_out, Direction::There);
        let back = self.clone().copy(far_in, near_out, Direction::Back);
        tokio::select! {
            () = there => {}
            () = back => {}
            _ = self.ways.wait_for(closed) => {}
        }
    }

    async fn copy(mut self, mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, direction: Direction) {
        let mut buffer = vec![0; 64 * 1024];
        let mut sieve = resp::Sieve::default();
        let came_after = *self.gone.borrow();
        loop {
            let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
            let way =
                self.ways.wait_for(|ways| ways[direction as usize] != Way::Hole).await.map(|w| w[direction as usize]);
            match way {
                Ok(Way::Delayed(by)) => tokio::time::sleep(by).await,
                Ok(_) => {}
                Err(_) => return,
            }
            if *self.gone.borrow() > came_after {
                // Held open, and not read any more.
                std::future::pending::<()>().await;
            }
            let passes = match direction {
                Direction::There => to.write_all(&buffer[..length]).await,
                Direction::Back => to.write_all(sieve.pass(&buffer[..length], &self.swallow)).await,
            };
            if passes.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn one_direction_can_be_a_hole_and_a_cut_ends_everything() {
        let proxy = Proxy::before(echo().await.to_string()).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        let mut byte = [0];
        stream.write_all(b"a").await.unwrap();
        stream.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"a");
        proxy.set_one(Direction::Back, Way::Hole);
        stream.write_all(b"b").await.unwrap();
        timeout(Duration::from_millis(50), stream.read_exact(&mut byte)).await.unwrap_err();
        proxy.set_one(Direction::Back, Way::Open);
        stream.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"b");
        proxy.set(Way::Closed);
        assert_eq!(timeout(Duration::from_secs(5), stream.read(&mut byte)).await.unwrap().unwrap_or(0), 0);
    }
}
