//! Errors on the wire: RFC 9457 problems.

use app::error::ApiError;
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// An error as the API answers it.
#[derive(Debug)]
pub struct Problem(pub ApiError);

impl Problem {
    /// What could not be read, with the status that says how.
    pub fn unreadable(status: StatusCode, detail: String) -> Response {
        respond(&ApiError::invalid(detail), status)
    }
}

impl From<ApiError> for Problem {
    fn from(e: ApiError) -> Self {
        Self(e)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        respond(&self.0, status)
    }
}

fn respond(error: &ApiError, status: StatusCode) -> Response {
    let mut body = serde_json::json!({
        "type": format!("/problems/{}", error.code()),
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": error.to_string(),
    });
    let mut retry_after_s = None;
    match error {
        ApiError::Unavailable { outcome, retry_after_s: s } => {
            body["outcome"] = serde_json::json!(outcome);
            retry_after_s = Some(*s);
        }
        ApiError::TooManyRequests { retry_after_s: s } => retry_after_s = Some(*s),
        _ => {}
    }
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(s) = retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(s));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
