//! The listener: each connection has its deadlines, and ends in order.

use axum::{Router, body::Body, extract::Request};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;
use tower_http::timeout::TimeoutBody;

/// A request's head must be there after this, counted from the connection's start or the answer before it.
const HEAD_DEADLINE: Duration = Duration::from_secs(30);
/// A request's body must go on after this.
const BODY_DEADLINE: Duration = Duration::from_secs(15);
/// Connections at once, sockets among them: more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 100_000;
/// After accepting has failed (no file descriptors left, say), a moment for some to be given back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection's place among all. Requests carry it, so that a socket can go on holding it.
#[derive(Clone)]
pub(super) struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// Serves until `stop`, then lets the requests under way end.
pub(crate) async fn listen(listener: TcpListener, router: Router, stop: CancellationToken) {
    let service = router.map_request(|request: Request<hyper::body::Incoming>| {
        request.map(|body| Body::new(TimeoutBody::new(BODY_DEADLINE, body)))
    });
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE);
    let (graceful, connections) = (GracefulShutdown::new(), TaskTracker::new());
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = async {
                let place = places.clone().acquire_owned().await;
                (listener.accept().await, place)
            } => accepted,
        };
        let (stream, place) = match accepted {
            (Ok((stream, _)), Ok(place)) => (stream, place),
            (Err(e), _) => {
                tracing::warn!(error = %e, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
            (_, Err(_)) => break,
        };
        // Small frames must not wait for more of them.
        let _ = stream.set_nodelay(true);
        let place = Place { _permit: Arc::new(place) };
        let held = place.clone();
        let service = service.clone().map_request(move |mut request: Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(held.clone());
            request
        });
        let service = TowerToHyperService::new(service);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            // Broken off by the client, or at a deadline: nothing to be done about it.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
    connections.close();
    connections.wait().await;
}
