//! Blocks and headers.

use axum::{Json, extract::State};

use super::{Asked, Name, PageQuery};
use crate::api::{
    App,
    model::{Block, Headers},
    problem::{ApiError, Problem},
    read::{BlockName, Pinned},
};

/// A block by its height, its hash, or `latest`, with a page of its transactions.
#[utoipa::path(
    get, path = "/v1/blocks/{block}", tag = "blocks", params(("block" = String, Path), PageQuery),
    responses(
        (status = 200, body = Block),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn block(
    State(app): State<App>,
    Name(name): Name<BlockName>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Block>, ApiError> {
    Pinned::newest(&app).block(name, &page.into()).map(Json)
}

/// Headers, newest first.
#[utoipa::path(
    get, path = "/v1/blocks", tag = "blocks", params(PageQuery),
    responses(
        (status = 200, body = Headers),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn blocks(State(app): State<App>, Asked(page): Asked<PageQuery>) -> Result<Json<Headers>, ApiError> {
    Pinned::newest(&app).headers(&page.into()).map(Json)
}
