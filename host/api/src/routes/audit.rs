//! The chain's newest hash, to be noted elsewhere.

use super::answer;
use super::results::index_before;
use crate::problem::Problem;
use crate::state::App;
use axum::extract::State;
use axum::response::Response;
use microtome_journal::Hash;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The newest record of the journal.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditHead {
    /// Its index; none where there is no record yet.
    index: Option<i64>,
    /// Its hash.
    #[schema(value_type = Option<String>)]
    hash: Option<Hash>,
    /// Both, as `microtome audit --noted` takes them.
    noted: Option<String>,
}

/// Index and hash of the newest record. Noted where the daemon's computer can not change it, it
/// shows later that the journal still has what it had.
#[utoipa::path(
    get, path = "/v1/audit/head", tag = "results", security((), ("token" = ["read"])),
    responses((status = 200, body = AuditHead), (status = "4XX", body = Problem)),
)]
pub(super) async fn head(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let head = app.pages.head().await?;
    let (index, hash) = (index_before(head.next), head.hash);
    let is_there = index >= 0;
    Ok(answer(AuditHead {
        index: is_there.then_some(index),
        hash: is_there.then_some(hash),
        noted: is_there.then(|| format!("{index}:{hash}")),
    }))
}
