//! From the settings to the driver's options.

use crate::{
    config::{DatabaseConfig, Secret},
    store::StoreError,
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::str::FromStr;

/// # Errors
/// [`StoreError::Broken`] names the setting that cannot be used, never its content.
pub(super) fn of(config: &DatabaseConfig) -> Result<PgConnectOptions, StoreError> {
    let mut options = PgConnectOptions::from_str(config.url.expose())
        .map_err(|e| StoreError::Broken(format!("DATABASE_URL is not like postgres://user:password@host/name: {e}")))?
        .application_name("partyline");
    if let Some(ca) = &config.ca {
        // Looked at here because the driver shows the text of one that it cannot read, and passes over one without
        // any certificate.
        authorities("DATABASE_CA", ca)?;
        options = options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert_from_pem(ca.expose().into());
    }
    if let Some((certificate, key)) = &config.identity {
        certificates("DATABASE_CERTIFICATE", certificate)?;
        PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
            .map_err(|_| StoreError::Broken("DATABASE_PRIVATE_KEY is not a private key in PEM".into()))?;
        options = options.ssl_client_cert_from_pem(certificate.expose()).ssl_client_key_from_pem(key.expose());
    }
    Ok(options)
}

/// The same, with limits that hold even when the caller has stopped waiting: an abandoned statement ends, and an
/// abandoned transaction gives its locks back. Not for migrations, which may take long.
pub(super) fn bounded(options: PgConnectOptions) -> PgConnectOptions {
    options.options([
        ("statement_timeout", "10s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "15s"),
        // It takes the cost of a page for that of the whole room, and compiles for longer than the query runs.
        ("jit", "off"),
    ])
}

fn certificates(setting: &str, pem: &Secret) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let unusable = || StoreError::Broken(format!("{setting} is not a certificate in PEM"));
    let found = CertificateDer::pem_slice_iter(pem.expose().as_bytes()).collect::<Result<Vec<_>, _>>();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(unusable)
}

fn authorities(setting: &str, pem: &Secret) -> Result<(), StoreError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(setting, pem)? {
        roots.add(certificate).map_err(|e| StoreError::Broken(format!("{setting} is not a certificate: {e}")))?;
    }
    Ok(())
}
