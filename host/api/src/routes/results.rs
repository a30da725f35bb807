//! Results of the journal, a page at a time.

use crate::pages::Filter;
use crate::problem::Problem;
use crate::state::App;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Results of a page where the request does not say how many.
const PAGE_DEFAULT: u32 = 100;

/// Which results are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ResultsQuery {
    /// Only those of this device.
    pub device: Option<String>,
    /// Only those received at this time or later, in microseconds since 1970, UTC.
    pub from_us: Option<u64>,
    /// Only those received before this time.
    pub until_us: Option<u64>,
    /// Only those behind this index of the journal; -1 is before the first.
    #[param(minimum = -1)]
    pub after: Option<i64>,
    /// So many at most; 100 unless it is said.
    #[param(minimum = 1)]
    pub limit: Option<u32>,
}

/// A result, as `microtome export` writes it in JSON lines.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is put together as text")]
pub(super) struct Entry {
    /// Its place in the journal.
    index: u64,
    /// Its hash in the chain.
    hash: String,
    /// What is the same for all results of its device, firmware, plan and daemon.
    #[schema(value_type = Object)]
    provenance: (),
    /// The result, as it was hashed.
    #[schema(value_type = Object)]
    record: (),
}

/// Results in the order of the journal.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is put together as text")]
pub(super) struct Results {
    results: Vec<Entry>,
    /// Where to go on, as `after`.
    after: i64,
    /// Whether there is more already. A page may be short of results, or without any, and yet
    /// have more behind it: each looks at a bounded part of the journal.
    more: bool,
    /// Records that were asked for and are no longer there.
    missed: u64,
}

/// Index of the first record behind `after`.
pub(super) fn first_index(after: i64) -> Result<u64, Problem> {
    let next = after
        .checked_add(1)
        .and_then(|next| u64::try_from(next).ok());
    next.ok_or_else(|| Problem::request("after must be an index of the journal, or -1"))
}

/// The index before `next`, as requests have it.
pub(super) fn index_before(next: u64) -> i64 {
    i64::try_from(next).unwrap_or(i64::MAX) - 1
}

/// Results of the journal.
#[utoipa::path(
    get, path = "/v1/results", tag = "results", security((), ("token" = ["read"])),
    params(ResultsQuery),
    responses(
        (status = 200, body = Results), (status = "4XX", body = Problem),
        (status = 503, body = Problem, description = "The journal can not be read at present"),
    ),
)]
pub(super) async fn results(
    State(app): State<Arc<App>>,
    query: Result<Query<ResultsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query?;
    let limit = query
        .limit
        .unwrap_or(PAGE_DEFAULT.min(app.config.limits.page_max));
    if !(1..=app.config.limits.page_max).contains(&limit) {
        let page_max = app.config.limits.page_max;
        return Err(Problem::request(format!(
            "limit must be from 1 to {page_max}"
        )));
    }
    let next = first_index(query.after.unwrap_or(-1))?;
    let filter = Filter {
        device: query.device,
        from_us: query.from_us,
        until_us: query.until_us,
    };
    let page = app.pages.read(next, &filter, limit).await?;
    let text = format!(
        r#"{{"results":[{}],"after":{},"more":{},"missed":{}}}"#,
        page.results.join(","),
        index_before(page.next),
        page.more,
        // Who asks for the first there is misses nothing.
        if query.after.is_some_and(|after| after >= 0) {
            page.missed
        } else {
            0
        },
    );
    let json = HeaderValue::from_static("application/json");
    Ok(([(CONTENT_TYPE, json)], text).into_response())
}
