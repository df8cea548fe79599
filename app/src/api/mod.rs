//! What the pages ask of the server: thin functions over [`crate::backend::Backend`], which authorises.
//!
//! The ones with a form behind them answer twice: to a script with the value or
//! the error, to a plain form with a redirect that tells of either.

mod account;
mod messages;
#[cfg(not(feature = "hydrate"))]
mod people;
mod rooms;
#[cfg(not(feature = "hydrate"))]
mod running;
#[cfg(not(feature = "hydrate"))]
mod search;
mod sent;

pub use account::*;
pub use messages::*;
#[cfg(not(feature = "hydrate"))]
pub use people::*;
pub use rooms::*;
#[cfg(not(feature = "hydrate"))]
pub use running::*;
#[cfg(not(feature = "hydrate"))]
pub use search::*;
pub use sent::Sent;

#[cfg(feature = "ssr")]
mod on_server {
    pub use crate::forms::{with_error, with_field};
    use crate::{
        backend::{SharedBackend, Viewer},
        error::ApiError,
    };
    use leptos::prelude::use_context;
    use leptos_axum::ResponseOptions;

    /// The chat behind the page.
    pub fn backend() -> Result<SharedBackend, ApiError> {
        use_context().ok_or(ApiError::Internal)
    }

    /// Who asks; nobody is a visitor.
    pub fn viewer() -> Option<Viewer> {
        use_context::<Option<Viewer>>().flatten()
    }

    /// Who asks, for what a visitor may not do.
    pub fn who() -> Result<Viewer, ApiError> {
        viewer().ok_or(ApiError::Unauthenticated)
    }

    /// Hands a cookie to the browser. `value` is all that goes into `Set-Cookie`.
    pub fn set_cookie(value: &str) {
        if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), http::HeaderValue::from_str(value)) {
            response.append_header(http::header::SET_COOKIE, value);
        }
    }

    /// The request came from a form that no script sent.
    fn from_plain_form() -> bool {
        use_context::<http::request::Parts>().is_some_and(|request| {
            let accept = request.headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok());
            accept.is_some_and(|accept| accept.contains("text/html"))
        })
    }

    /// Sends a plain form on to where the outcome shows, and gives a script the outcome with its HTTP status.
    pub fn answer<T>(
        outcome: Result<T, ApiError>,
        done: impl FnOnce(&T) -> String,
        failed: impl FnOnce(&ApiError) -> String,
    ) -> Result<T, ApiError> {
        if from_plain_form() {
            leptos_axum::redirect(&match &outcome {
                Ok(value) => done(value),
                Err(error) => failed(error),
            });
            outcome
        } else {
            with_status(outcome)
        }
    }

    /// Gives the response, a page's or a script's, the HTTP status of the error.
    pub fn with_status<T>(outcome: Result<T, ApiError>) -> Result<T, ApiError> {
        if let (Err(error), Some(response)) = (&outcome, use_context::<ResponseOptions>())
            && let Ok(status) = http::StatusCode::from_u16(error.status())
        {
            response.set_status(status);
        }
        outcome
    }
}
