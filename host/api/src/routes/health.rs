//! For those who watch the daemon.

use super::answer;
use crate::metrics::MEDIA_TYPE;
use crate::problem::Problem;
use crate::state::App;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// That the daemon runs.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    status: &'static str,
}

/// Whether the daemon runs and the journal records. Needs no token and tells nothing more.
#[utoipa::path(
    get, path = "/healthz", tag = "health",
    responses(
        (status = 200, body = Health),
        (status = 503, body = Problem, description = "Nothing is recorded at present"),
    ),
)]
pub(super) async fn health(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    match app.host.trouble() {
        None => Ok(answer(Health { status: "ok" })),
        Some(_) => Err(Problem::busy(
            "nothing is recorded at present; boards hold their results. The log says why",
        )),
    }
}

/// Counts and times, in the OpenMetrics text format.
#[utoipa::path(
    get, path = "/metrics", tag = "health", security((), ("token" = ["read"])),
    responses((status = 200, body = String), (status = "4XX", body = Problem)),
)]
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let text = app.hub.metrics.text(&app.hub, &*app.host);
    let text = text.map_err(|_| Problem::failed("the metrics could not be written"))?;
    let media_type = HeaderValue::from_static(MEDIA_TYPE);
    Ok(([(CONTENT_TYPE, media_type)], text).into_response())
}
