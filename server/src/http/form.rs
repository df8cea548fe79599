//! A message with a file, from a form that no script sends.

use super::{Web, files, identity::Anyone, problem::Problem};
use app::{
    backend::{Backend, NewMessage, Viewer},
    error::ApiError,
    forms,
    model::{MAX_FILE_BYTES, MessageId},
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use multer::{Constraints, Multipart, SizeLimit};

/// What a form has beside the file: the text, as long as a message may be, and what stands between its fields.
const BESIDE_BYTES: usize = 128 * 1024;

/// What was filled in.
#[derive(Default)]
struct Filled {
    id: Option<MessageId>,
    reply_to: Option<MessageId>,
    body: String,
    /// Its name, and what is in it.
    file: Option<(String, Vec<u8>)>,
}

pub(super) async fn post(
    State(web): State<Web>,
    Anyone(who): Anyone,
    super::body::Path(room): super::body::Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(who) = who.viewer() else {
        return Redirect::to(&forms::login(&room)).into_response();
    };
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let boundary = text(header::CONTENT_TYPE).and_then(|kind| multer::parse_boundary(kind).ok());
    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    let (Some(boundary), Some(length)) = (boundary, length) else {
        return Problem::unreadable(StatusCode::BAD_REQUEST, "a form with a file is expected here".into());
    };
    let (mut filled, mut body) = (Filled::default(), Some(body));
    let to = match attempt(&web, who, &room, &mut filled, (length, boundary, &mut body)).await {
        Ok(to) => to,
        Err(error) => {
            if let Some(body) = body {
                files::drained(body).await;
            }
            forms::not_posted(&room, None, filled.id, filled.reply_to, &filled.body, &error)
        }
    };
    Redirect::to(&to).into_response()
}

/// Where to go on. What was read so far is in `filled`, for the case that it has to come back.
async fn attempt(
    web: &Web,
    who: &Viewer,
    room: &str,
    filled: &mut Filled,
    (length, boundary, body): (usize, String, &mut Option<Body>),
) -> Result<String, ApiError> {
    if length > MAX_FILE_BYTES + BESIDE_BYTES {
        return Err(ApiError::FileTooLarge);
    }
    let upload = web.service.begin_upload(who, room, length.min(MAX_FILE_BYTES)).await?;
    let body = body.take().unwrap_or_default();
    let read = tokio::time::timeout(files::body_deadline(length), read(body, boundary, filled));
    read.await.map_err(|_| ApiError::invalid("the file did not arrive as a whole"))??;
    if let Some((name, content)) = filled.file.take() {
        let uploaded = web.service.upload(upload, &name, content).await?;
        // From here on the text has the file: whatever happens, trying again posts the same.
        let between = if filled.body.trim().is_empty() { "" } else { "\n\n" };
        filled.body = format!("{}{between}{}", filled.body.trim(), uploaded.markdown);
    }
    let new = NewMessage { id: filled.id, body: filled.body.clone(), reply_to: filled.reply_to };
    let posted = web.service.post(who, room, new).await?;
    Ok(forms::posted(room, None, posted.at))
}

async fn read(body: Body, boundary: String, filled: &mut Filled) -> Result<(), ApiError> {
    let limit = SizeLimit::new().whole_stream((MAX_FILE_BYTES + BESIDE_BYTES) as u64).per_field(BESIDE_BYTES as u64);
    let limit = limit.for_field("file", MAX_FILE_BYTES as u64);
    let constraints = Constraints::new().size_limit(limit);
    let mut form = Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        match field.name().unwrap_or_default() {
            "file" => {
                let name = field.file_name().unwrap_or_default().to_owned();
                let content = field.bytes().await.map_err(unreadable)?;
                // A form without a file sends an empty one without a name.
                if !content.is_empty() {
                    filled.file = Some((name, content.into()));
                }
            }
            "body" => filled.body = field.text().await.map_err(unreadable)?,
            "id" => filled.id = field.text().await.map_err(unreadable)?.parse().ok(),
            "reply_to" => filled.reply_to = field.text().await.map_err(unreadable)?.parse().ok(),
            _ => {}
        }
    }
    Ok(())
}

fn unreadable(e: multer::Error) -> ApiError {
    match e {
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => ApiError::FileTooLarge,
        _ => ApiError::invalid("the form did not arrive as a whole"),
    }
}
