//! Files over HTTP: bytes in, bytes out.

use super::{
    Web,
    body::{Path, Query},
    identity::{Anyone, SignedInViewer},
    problem::Problem,
};
use crate::store::FileRow;
use app::{
    error::ApiError,
    model::{FileAddress, MAX_FILE_BYTES, Uploaded},
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use serde::Deserialize;
use std::time::Duration;

/// A body must be there after this and as long as [`SLOWEST`] takes for it: until then it has memory that others wait for.
const BODY_DEADLINE: Duration = Duration::from_secs(30);
/// Bytes a second.
const SLOWEST: u32 = 64 * 1024;
/// How long, and how much, who is refused may go on sending: a browser that is cut off does not get to see why.
const REFUSED_DEADLINE: Duration = Duration::from_secs(10);
const REFUSED_BYTES: usize = 4 * MAX_FILE_BYTES;

#[derive(Deserialize)]
pub(super) struct Named {
    #[serde(default)]
    name: String,
}

pub(super) async fn upload(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path(room): Path<String>,
    Query(Named { name }): Query<Named>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let Some(length) = length else {
        return Problem::unreadable(StatusCode::LENGTH_REQUIRED, "say how long the file is: Content-Length".into());
    };
    let begun = match web.service.begin_upload(&who, &room, length).await {
        Ok(begun) => begun,
        Err(e) => return refused(e, body).await,
    };
    let content = match read(body, length).await {
        Ok(content) => content,
        Err(response) => return response,
    };
    match web.service.upload(begun, &name, content).await {
        Ok(uploaded) => created(uploaded),
        Err(e) => Problem(e).into_response(),
    }
}

fn created(uploaded: Uploaded) -> Response {
    (StatusCode::CREATED, [(header::LOCATION, uploaded.url.clone())], Json(uploaded)).into_response()
}

/// How long a body of so many bytes may take.
pub(super) fn body_deadline(length: usize) -> Duration {
    BODY_DEADLINE + Duration::from_secs(1) * u32::try_from(length).unwrap_or(u32::MAX) / SLOWEST
}

/// A body as long as it was said to be. No more than that is held, and it is held once.
async fn read(body: Body, length: usize) -> Result<Vec<u8>, Response> {
    let collected = tokio::time::timeout(body_deadline(length), async {
        let (mut content, mut pieces) = (Vec::with_capacity(length), body.into_data_stream());
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| StatusCode::BAD_REQUEST)?;
            if content.len() + piece.len() > length {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            content.extend_from_slice(&piece);
        }
        if content.len() == length { Ok(content) } else { Err(StatusCode::BAD_REQUEST) }
    });
    let status = match collected.await {
        Ok(Ok(content)) => return Ok(content),
        Ok(Err(status)) => status,
        Err(_) => StatusCode::REQUEST_TIMEOUT,
    };
    let mut response = Problem::unreadable(status, "the file did not arrive as a whole".into());
    close(&mut response);
    Err(response)
}

/// Says why not.
async fn refused(error: ApiError, body: Body) -> Response {
    let too_large = error == ApiError::FileTooLarge;
    let mut response = Problem(error).into_response();
    if too_large || !drained(body).await {
        close(&mut response);
    }
    response
}

/// Reads what comes, and lets go of it; whether that was all.
pub(super) async fn drained(body: Body) -> bool {
    let rest = async {
        let (mut left, mut pieces) = (REFUSED_BYTES, body.into_data_stream());
        while let Some(Ok(piece)) = pieces.next().await {
            let Some(less) = left.checked_sub(piece.len()) else { return false };
            left = less;
        }
        true
    };
    tokio::time::timeout(REFUSED_DEADLINE, rest).await.unwrap_or(false)
}

/// The rest is not read: said, so that the client does not use the connection again.
fn close(response: &mut Response) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

pub(super) async fn download(
    State(web): State<Web>,
    Anyone(who): Anyone,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let address: FileAddress = uri.path().parse().map_err(|_| ApiError::NotFound)?;
    let file = web.service.file(who.viewer(), &address).await?;
    let tag = format!("\"{}\"", file.id);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let mut response = if known.is_some_and(|known| known.contains(&tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Body::from_stream(web.service.content(&file)).into_response();
        describe(response.headers_mut(), &file);
        response
    };
    let headers = response.headers_mut();
    for (name, value) in [
        // A file never becomes another one; but who may have it is asked again by each browser.
        (header::CACHE_CONTROL, "private, max-age=31536000, immutable"),
        // Whatever a browser takes it for, it runs nothing and loads nothing.
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    set(headers, header::ETAG, &tag);
    Ok(response)
}

fn describe(headers: &mut HeaderMap, file: &FileRow) {
    let shown = if file.address.size.is_some() { "inline" } else { "attachment" };
    let name = file.address.name.as_str();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') { c } else { '_' };
    let simple: String = name.chars().map(plain).collect();
    let encoded = file.address.encoded_name();
    // RFC 6266: who can read the second takes it.
    set(headers, header::CONTENT_DISPOSITION, &format!("{shown}; filename=\"{simple}\"; filename*=UTF-8''{encoded}"));
    set(headers, header::CONTENT_TYPE, &file.media_type);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.bytes));
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
