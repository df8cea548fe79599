//! Finding what was said.

#[cfg(feature = "ssr")]
use super::on_server::*;
use crate::{
    error::ApiError,
    model::{SearchPage, SearchQuery},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// Messages in rooms that the viewer may read.
#[server(prefix = "/api/fn", endpoint = "search", input = Json)]
pub async fn search(query: SearchQuery) -> Result<SearchPage, ApiError> {
    with_status(backend()?.search(viewer().as_ref(), &query).await)
}
