//! What operators see: log lines and metrics.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Log lines to standard error; `RUST_LOG` chooses, `PARTYLINE_LOG_FORMAT=json` makes each a JSON object.
pub fn init_log() {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,leptos=warn,tower_http=warn,librdkafka=warn,rdkafka=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call (tests start several servers) leaves the first in place.
    let _ = if std::env::var("PARTYLINE_LOG_FORMAT").is_ok_and(|f| f == "json") {
        builder.json().try_init()
    } else {
        builder.with_target(false).try_init()
    };
}

/// For commands whose answer is what they print: `RUST_LOG` chooses, nothing if it is not set.
pub fn init_quiet_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).try_init();
}

/// Folds what histograms have collected, until `stop`: nobody may be asking for it.
pub async fn upkeep(stop: CancellationToken) {
    let mut every = tokio::time::interval(std::time::Duration::from_secs(5));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => metrics().run_upkeep(),
        }
    }
}

/// The process's metrics.
pub fn metrics() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        // Somebody who embeds the server may have a recorder of their own: then theirs counts.
        let _ = metrics::set_global_recorder(recorder);
        handle
    })
}
