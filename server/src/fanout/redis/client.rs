//! How Redis is reached.

use crate::{config::RedisConfig, fanout::FanoutError};
use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, TlsCertificates, io::tcp::TcpSettings,
};
use std::time::Duration;

/// TCP and TLS handshake and the first words.
pub(super) const CONNECT: Duration = Duration::from_secs(2);
/// An answer.
pub(super) const ANSWER: Duration = Duration::from_secs(1);
/// A host that does not acknowledge what was sent to it is gone, even if no packet says so.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(3);

/// A client for the configured address; nothing is sent yet. No error shows the address: a password may be in it.
pub(super) fn client(config: &RedisConfig) -> Result<Client, FanoutError> {
    // rustls may be built with several providers of cryptography; this says which. Somebody else may have said it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let info = config.url.expose().into_connection_info().map_err(|e| FanoutError(format!("REDIS_URL: {e}")))?;
    let info = settings(info);
    let tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
    if matches!(info.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
        return Err(FanoutError(
            "REDIS_URL may not end in #insecure: the server's certificate is always checked".into(),
        ));
    }
    match &config.ca {
        None => Client::open(info).map_err(|e| FanoutError(format!("REDIS_URL: {e}"))),
        Some(_) if !tls => {
            Err(FanoutError("REDIS_CA is given, so REDIS_URL has to begin with rediss://: no plain text then".into()))
        }
        Some(ca) if !ca.expose().contains("-----BEGIN CERTIFICATE-----") => {
            Err(FanoutError("REDIS_CA holds no certificate: it has to be PEM text, not a file's name".into()))
        }
        Some(ca) => {
            let root_cert = Some(ca.expose().as_bytes().to_vec());
            Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })
                .map_err(|e| FanoutError(format!("REDIS_CA: {e}")))
        }
    }
}

fn settings(info: ConnectionInfo) -> ConnectionInfo {
    // Small messages must not wait for more; pushes on an ordinary connection need RESP3.
    let tcp = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(UNACKNOWLEDGED);
    let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    info.set_tcp_settings(tcp).set_redis_settings(redis)
}
