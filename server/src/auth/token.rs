//! Tokens: JWTs, HS256 and nothing else.

use crate::config::Secret;
use app::model::{Millis, SessionId, UserId};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result as JwtResult},
    signature::{Error as SignatureError, Signer, Verifier},
};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// What a token is for: one kind is never taken for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Authorization: Bearer`.
    Access,
    /// The browser's cookie.
    Cookie,
}

impl Kind {
    const fn audience(self) -> &'static str {
        match self {
            Self::Access => "partyline",
            Self::Cookie => "partyline-cookie",
        }
    }
}

/// How far the clocks of two nodes may be apart, in seconds.
const LEEWAY_S: u64 = 5;

/// What a token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The account.
    pub sub: UserId,
    /// The session.
    pub sid: SessionId,
    /// See [`Kind`].
    pub aud: String,
    /// Not before, in seconds since 1970.
    pub nbf: Millis,
    /// Until, in seconds since 1970.
    pub exp: Millis,
}

/// The keys that sign and verify.
pub struct Keys {
    sign: EncodingKey,
    verify: Vec<DecodingKey>,
    access: Validation,
    cookie: Validation,
}

/// What a token of this kind must be like.
fn rules(kind: Kind) -> Validation {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.leeway = LEEWAY_S;
    rules.validate_nbf = true;
    rules.set_audience(&[kind.audience()]);
    // Without this a token that leaves one of them out would pass.
    rules.set_required_spec_claims(&["exp", "nbf", "aud", "sub"]);
    rules
}

impl Keys {
    /// `previous` still verifies: that is how a secret is changed without signing everybody out.
    pub fn new(secret: &Secret, previous: Option<&Secret>) -> Self {
        // Another library in the process may have been first: then its provider stands, and works as well.
        let _ = PROVIDER.install_default();
        let bytes = |s: &Secret| s.expose().as_bytes().to_vec();
        Self {
            sign: EncodingKey::from_secret(&bytes(secret)),
            verify: std::iter::once(secret).chain(previous).map(|s| DecodingKey::from_secret(&bytes(s))).collect(),
            access: rules(Kind::Access),
            cookie: rules(Kind::Cookie),
        }
    }

    /// Signs a token that holds from `at` until `until`.
    pub fn sign(&self, kind: Kind, sub: UserId, sid: SessionId, at: Millis, until: Millis) -> String {
        let claims = Claims { sub, sid, aud: kind.audience().into(), nbf: at / 1000, exp: until / 1000 };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign)
            .expect("plain claims and an HMAC key can always be signed")
    }

    /// The claims of a token that is ours, of this kind, and holds at `at`.
    pub fn verify(&self, kind: Kind, token: &str, at: Millis) -> Option<Claims> {
        let rules = match kind {
            Kind::Access => &self.access,
            Kind::Cookie => &self.cookie,
        };
        let claims = self.verify.iter().find_map(|key| jsonwebtoken::decode::<Claims>(token, key, rules).ok())?.claims;
        (at / 1000 < claims.exp.saturating_add(LEEWAY_S as Millis)).then_some(claims)
    }
}

/// HS256 only: whatever else a token's header may ask for has no code to run.
static PROVIDER: CryptoProvider =
    CryptoProvider { signer_factory: signer, verifier_factory: verifier, key_utils: KeyUtils::new_unimplemented() };

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(algorithm: &Algorithm, key: &[u8]) -> JwtResult<Self> {
        if *algorithm != Algorithm::HS256 {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        Hmac::new_from_slice(key).map(Self).map_err(|_| ErrorKind::InvalidKeyFormat.into())
    }
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> JwtResult<Box<dyn JwtSigner>> {
    Ok(Box::new(Hs256::new(algorithm, key.as_bytes())?))
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> JwtResult<Box<dyn JwtVerifier>> {
    Ok(Box::new(Hs256::new(algorithm, key.try_get_as_bytes()?)?))
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        self.0.clone().chain_update(message).verify_slice(signature).map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::now;
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

    fn secret(c: char) -> Secret {
        c.to_string().repeat(32).into()
    }

    fn token(keys: &Keys, kind: Kind, from_s: Millis, for_s: Millis) -> String {
        let at = now() + from_s * 1000;
        keys.sign(kind, UserId::new(), SessionId::new(), at, at + for_s * 1000)
    }

    #[test]
    fn a_token_holds_for_its_kind_its_secret_and_its_time() {
        let keys = Keys::new(&secret('a'), None);
        let good = token(&keys, Kind::Access, 0, 60);
        assert!(keys.verify(Kind::Access, &good, now()).is_some());
        assert!(keys.verify(Kind::Cookie, &good, now()).is_none(), "another kind");
        assert!(Keys::new(&secret('b'), None).verify(Kind::Access, &good, now()).is_none(), "another secret");
        assert!(Keys::new(&secret('b'), Some(&secret('a'))).verify(Kind::Access, &good, now()).is_some(), "rotation");
        let expired = token(&keys, Kind::Access, -60, 50);
        assert!(keys.verify(Kind::Access, &expired, now()).is_none(), "expired");
        let early = token(&keys, Kind::Access, 60, 60);
        assert!(keys.verify(Kind::Access, &early, now()).is_none(), "not yet");
    }

    #[test]
    fn a_token_of_another_algorithm_or_without_a_claim_is_refused() {
        let keys = Keys::new(&secret('a'), None);
        let good = token(&keys, Kind::Access, 0, 60);
        let mut parts = good.split('.').map(str::to_owned).collect::<Vec<_>>();
        parts[0] = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        assert!(keys.verify(Kind::Access, &parts.join("."), now()).is_none());
        parts[0] = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
        assert!(keys.verify(Kind::Access, &parts.join("."), now()).is_none());

        let no_expiry =
            serde_json::json!({ "sub": UserId::new(), "sid": SessionId::new(), "aud": "partyline", "nbf": 0 });
        let text = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &no_expiry, &keys.sign).expect("signed");
        assert!(keys.verify(Kind::Access, &text, now()).is_none());
        assert!(keys.verify(Kind::Access, "", now()).is_none());
    }
}
