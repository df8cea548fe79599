//! The one error that people and programs get to see.

use crate::json::{Answered, tagged};
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};
use std::fmt;

tagged! { "code", "ApiError";
    /// Why a request was not done. Each variant says what the caller can do about it.
    ///
    /// On the wire of `/api/v1` it is an RFC 9457 problem; [`ApiError::code`] is the
    /// last segment of its `type`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum ApiError {
        /// Fix the input.
        Invalid {
            /// Which rule it breaks.
            detail: String,
        },
        /// Shorten it.
        TooLarge,
        /// Make it smaller.
        FileTooLarge,
        /// Sign in.
        Unauthenticated,
        /// User name and password do not fit, whichever is wrong.
        BadCredentials,
        /// Ask somebody who may.
        Forbidden {
            /// What is needed.
            detail: String,
        },
        /// It is not there, or not for you: the two cannot be told apart.
        NotFound,
        /// It is there already with another content.
        Conflict {
            /// What is in the way.
            detail: String,
        },
        /// Wait, then try again.
        TooManyRequests {
            /// Seconds.
            retry_after_s: u64,
        },
        /// Try again: a part that the request needs is away.
        Unavailable {
            /// Whether the request may have been done all the same.
            outcome: Outcome,
            /// Seconds.
            retry_after_s: u64,
        },
        /// The disk is full; reading goes on.
        StorageFull,
        /// The server's fault; its log has the cause.
        Internal,
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid { detail } | Self::Forbidden { detail } | Self::Conflict { detail } => detail,
            Self::TooLarge => "a message may have 16 KiB at most",
            Self::FileTooLarge => {
                return write!(f, "a file may have {} MiB at most", crate::model::MAX_FILE_BYTES / (1024 * 1024));
            }
            Self::Unauthenticated => "please sign in",
            Self::BadCredentials => "that user name and password do not fit",
            Self::NotFound => "there is no such thing here",
            Self::TooManyRequests { retry_after_s } => {
                return write!(f, "too many requests, please wait {retry_after_s} s");
            }
            Self::Unavailable { outcome, .. } => unavailable(*outcome),
            Self::StorageFull => "the server has no room left to store messages",
            Self::Internal => "something went wrong on the server",
        })
    }
}

impl std::error::Error for ApiError {}

/// What is known of a write that was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was not written.
    NotPersisted,
    /// It may have been written: retry with the same id.
    Unknown,
}

fn unavailable(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotPersisted => "the server cannot do this just now; nothing was stored, please try again",
        Outcome::Unknown => "the server could not tell whether this was stored; trying again is safe",
    }
}

impl ApiError {
    /// The stable word for the kind of error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid",
            Self::TooLarge => "too_large",
            Self::FileTooLarge => "file_too_large",
            Self::Unauthenticated => "unauthenticated",
            Self::BadCredentials => "bad_credentials",
            Self::Forbidden { .. } => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict { .. } => "conflict",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::Unavailable { .. } => "unavailable",
            Self::StorageFull => "storage_full",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Invalid { .. } => 422,
            Self::TooLarge | Self::FileTooLarge => 413,
            Self::Unauthenticated | Self::BadCredentials => 401,
            Self::Forbidden { .. } => 403,
            Self::NotFound => 404,
            Self::Conflict { .. } => 409,
            Self::TooManyRequests { .. } => 429,
            Self::Unavailable { .. } => 503,
            Self::StorageFull => 507,
            Self::Internal => 500,
        }
    }

    /// Trying the same again, unchanged, may succeed.
    pub const fn retryable(&self) -> bool {
        matches!(self, Self::TooManyRequests { .. } | Self::Unavailable { .. } | Self::StorageFull | Self::Internal)
    }

    /// [`ApiError::Forbidden`] with what is needed.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::Forbidden { detail: detail.into() }
    }

    /// [`ApiError::Invalid`] with the rule that is broken.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::Invalid { detail: detail.into() }
    }

    /// [`ApiError::Conflict`] with what is in the way.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::Conflict { detail: detail.into() }
    }

    /// [`ApiError::Unavailable`] to be tried again in a second.
    pub const fn unavailable(outcome: Outcome) -> Self {
        Self::Unavailable { outcome, retry_after_s: 1 }
    }
}

impl From<crate::model::Invalid> for ApiError {
    fn from(e: crate::model::Invalid) -> Self {
        Self::invalid(e.0)
    }
}

impl From<crate::model::BadBody> for ApiError {
    fn from(e: crate::model::BadBody) -> Self {
        match e {
            crate::model::BadBody::TooLong => Self::TooLarge,
            crate::model::BadBody::Empty => Self::invalid(e.to_string()),
        }
    }
}

/// What goes wrong around a server function, in the same words as what goes wrong in it.
impl FromServerFnError for ApiError {
    type Encoder = Answered;

    fn from_server_fn_error(e: ServerFnErrorErr) -> Self {
        match e {
            // The server was not reached, or something between answered in its place: the request may have been done.
            ServerFnErrorErr::Request(_) | ServerFnErrorErr::Deserialization(_) | ServerFnErrorErr::Response(_) => {
                Self::unavailable(Outcome::Unknown)
            }
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => {
                Self::invalid("the form was not filled in as expected")
            }
            _ => Self::Internal,
        }
    }
}
