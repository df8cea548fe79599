//! Who asks, on every request: bearer token, session cookie, or nobody. And no
//! writing across sites.

use super::{Origins, Web, problem::Problem};
use crate::auth::{AuthError, Kind, Verified};
use app::{
    backend::Viewer,
    error::{ApiError, Outcome},
};
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::convert::Infallible;

/// Who asks, as the middleware found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// No credential.
    Visitor,
    /// A cookie that does not hold any more: a visitor, to be told so where it matters.
    Expired,
    /// Somebody.
    Known(Verified),
}

impl Identity {
    /// Somebody, or `None`.
    pub fn viewer(&self) -> Option<&Viewer> {
        match self {
            Self::Known(verified) => Some(&verified.viewer),
            Self::Visitor | Self::Expired => None,
        }
    }
}

/// Whoever asks; visitors too.
pub struct Anyone(pub Identity);

impl<S: Send + Sync> FromRequestParts<S> for Anyone {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Identity>().cloned().unwrap_or(Identity::Visitor)))
    }
}

/// Somebody who is signed in; others get 401.
pub struct SignedInViewer(pub Viewer);

impl<S: Send + Sync> FromRequestParts<S> for SignedInViewer {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let viewer = parts.extensions.get::<Identity>().and_then(Identity::viewer);
        viewer.cloned().map(Self).ok_or(Problem(ApiError::Unauthenticated))
    }
}

/// The bearer token of a request.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The value of a cookie.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(n, value)| (n == name && !value.is_empty()).then_some(value))
}

/// May a browser on another page have made this request? Then it must not write in somebody's name.
pub(super) fn is_cross_site(headers: &HeaderMap, origins: &Origins, with_cookie: bool) -> bool {
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    // From a page that tells nobody where it is (see `pages::keep_to_oneself`) browsers say `null`, and only in the other
    // header whether it is one of ours.
    if let Some(origin) = text("origin").filter(|origin| *origin != "null" || text("sec-fetch-site").is_none()) {
        return !origins.allow(origin);
    }
    match text("sec-fetch-site") {
        Some(site) => !matches!(site, "same-origin" | "none"),
        // Every browser sends one of the two with a write. Who sends neither is no browser, and has no business with
        // a browser's cookie.
        None => with_cookie,
    }
}

/// Finds out who asks and puts an [`Identity`] into the request.
pub async fn identify(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let token = bearer(headers).map(str::to_owned);
    let cookie = cookie(headers, web.auth.cookie_name()).map(str::to_owned);
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !reads && token.is_none() && is_cross_site(headers, &web.origins, cookie.is_some()) {
        return Problem(ApiError::forbidden("writing from another site is refused")).into_response();
    }
    let verified = match (&token, &cookie) {
        (Some(token), _) => web.auth.verify(Kind::Access, token).await,
        (None, Some(cookie)) => web.auth.verify(Kind::Cookie, cookie).await,
        (None, None) => {
            request.extensions_mut().insert(Identity::Visitor);
            return next.run(request).await;
        }
    };
    let identity = match verified {
        Ok(verified) => Identity::Known(verified),
        Err(AuthError::Rejected) if token.is_some() => return Problem(ApiError::Unauthenticated).into_response(),
        Err(AuthError::Rejected) => Identity::Expired,
        Err(AuthError::Store(e)) => {
            tracing::warn!(error = %e, "a credential could not be checked");
            return Problem(ApiError::unavailable(Outcome::NotPersisted)).into_response();
        }
    };
    let expired = identity == Identity::Expired;
    request.extensions_mut().insert(identity);
    let mut response = next.run(request).await;
    if expired
        && !response.headers().contains_key(header::SET_COOKIE)
        && let Ok(clear) = HeaderValue::from_str(&web.auth.clear_cookie())
    {
        response.headers_mut().append(header::SET_COOKIE, clear);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.parse().expect("a name"), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn a_cookie_is_found_among_others_and_a_token_whatever_the_case() {
        let h = headers(&[("cookie", "a=1; partyline=x.y.z; b=2"), ("authorization", "bearer  t ")]);
        assert_eq!(cookie(&h, "partyline"), Some("x.y.z"));
        assert_eq!(cookie(&h, "party"), None);
        assert_eq!(bearer(&h), Some("t"));
        assert_eq!(bearer(&headers(&[("authorization", "Basic t")])), None);
    }

    #[test]
    fn a_write_from_another_site_is_seen() {
        let origins = Origins::new(vec!["https://chat.example.org".into()]);
        let cross = |pairs, with_cookie| is_cross_site(&headers(pairs), &origins, with_cookie);
        assert!(!cross(&[("origin", "https://chat.example.org")], true));
        assert!(cross(&[("origin", "https://evil.example")], true));
        assert!(cross(&[("origin", "null")], true));
        assert!(cross(&[("origin", "null"), ("sec-fetch-site", "cross-site")], true), "a frame in a sandbox");
        assert!(!cross(&[("origin", "null"), ("sec-fetch-site", "same-origin")], true));
        assert!(cross(&[("origin", "https://evil.example")], false), "signing somebody in from elsewhere");
        assert!(!cross(&[("sec-fetch-site", "same-origin")], true));
        assert!(cross(&[("sec-fetch-site", "same-site")], true));
        assert!(cross(&[], true));
        assert!(!cross(&[], false), "a program without a cookie");
    }
}
