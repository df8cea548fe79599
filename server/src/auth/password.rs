//! Passwords: Argon2id, a bounded number at once.

use app::error::ApiError;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash::phc::PasswordHash};
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;

/// At once: each takes 19 MiB and a core for some 20 ms. Who comes while all are taken waits this long, then is refused.
const AT_ONCE: usize = 2;
const MAX_WAIT: std::time::Duration = std::time::Duration::from_secs(3);

/// Hashes and verifies off the threads that serve.
pub struct Passwords {
    free: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

// OWASP's recommendation for Argon2id: 19 MiB, two passes, one lane.
fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("the parameters are within Argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

impl Passwords {
    /// The hash to be stored.
    ///
    /// # Errors
    /// [`ApiError::TooManyRequests`] if too many are being hashed.
    pub async fn hash(&self, password: String) -> Result<String, ApiError> {
        self.run(move || {
            let hash: PasswordHash = argon2().hash_password(password.as_bytes()).map_err(|_| ApiError::Internal)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Does the password fit the hash? Without a hash (no such account) it takes as long and says no.
    ///
    /// # Errors
    /// [`ApiError::TooManyRequests`] if too many are being hashed.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, ApiError> {
        static NOBODYS: OnceLock<String> = OnceLock::new();
        self.run(move || {
            let known = hash.is_some();
            let hash = match &hash {
                Some(hash) => hash,
                None => NOBODYS.get_or_init(|| {
                    let hash: PasswordHash = argon2().hash_password(b"nobody").expect("a fixed text can be hashed");
                    hash.to_string()
                }),
            };
            let hash = PasswordHash::new(hash).map_err(|_| ApiError::Internal)?;
            Ok(argon2().verify_password(password.as_bytes(), &hash).is_ok() && known)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let permit = tokio::time::timeout(MAX_WAIT, self.free.clone().acquire_owned())
            .await
            .map_err(|_| ApiError::TooManyRequests { retry_after_s: 2 })?
            .map_err(|_| ApiError::Internal)?;
        // The permit goes along: a caller who hangs up does not make room for more hashing than is allowed.
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        })
        .await
        .map_err(|_| ApiError::Internal)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_account_fits() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse".into()).await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.verify("correct horse".into(), Some(hash.clone())).await.expect("checked"));
        assert!(!passwords.verify("wrong horse".into(), Some(hash)).await.expect("checked"));
        assert!(!passwords.verify("nobody".into(), None).await.expect("checked"));
    }
}
