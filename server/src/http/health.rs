//! For operators and load balancers: `/livez`, `/readyz`, `/metrics`.

use super::Web;
use crate::{pipeline::State as PartState, telemetry};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use std::{collections::BTreeMap, time::Duration};

/// Longer than this a dependency does not answer, it counts as away.
const DEADLINE: Duration = Duration::from_secs(2);

/// The process runs.
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

#[derive(serde::Serialize)]
pub(super) struct Readiness {
    ready: bool,
    draining: bool,
    dependencies: BTreeMap<&'static str, &'static str>,
    parts: BTreeMap<&'static str, PartState>,
}

/// Send me people? No while draining, and no while the log is away: then nothing can be posted here. With store or
/// fan-out away a node still does most of its work, and all nodes have the same trouble: it stays in, and says so.
pub(super) async fn readyz(State(web): State<Web>) -> impl IntoResponse {
    // Whoever asks is told what is away; why, and where it is, is for the log.
    async fn word<E: std::fmt::Display>(name: &str, check: impl Future<Output = Result<(), E>>) -> &'static str {
        let reason = match tokio::time::timeout(DEADLINE, check).await {
            Ok(Ok(())) => return "ok",
            Ok(Err(e)) => e.to_string(),
            Err(_) => format!("no answer within {DEADLINE:?}"),
        };
        tracing::warn!(name, reason, "a dependency is away");
        "away"
    }
    let (log, store, fanout) = tokio::join!(
        word("log", web.log.check()),
        word("store", web.store.check()),
        word("fanout", web.fanout.check()),
    );
    let draining = web.draining.is_cancelled();
    let ready = !draining && log == "ok";
    let dependencies = BTreeMap::from([("log", log), ("store", store), ("fanout", fanout)]);
    let body = Readiness { ready, draining, dependencies, parts: web.health.states() };
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body))
}

/// In Prometheus' text format.
pub(super) async fn metrics() -> impl IntoResponse {
    let handle = telemetry::metrics();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render())
}
