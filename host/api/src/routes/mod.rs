//! What can be asked, one file a subject. A route and its description for OpenAPI are one thing,
//! so that the document lists every route.

mod audit;
mod devices;
mod health;
mod plans;
mod results;
mod stream;

pub use results::ResultsQuery;
pub use stream::StreamQuery;

use crate::guard::{admit, permit};
use crate::problem::Problem;
use crate::state::{App, seconds};
use crate::token::Scope;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use hyper::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use std::sync::Arc;
use tokio::time::timeout;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest body in JSON.
const JSON_BYTES_MAX: usize = 4 << 10;

/// All routes, and what every request passes before it comes to one.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let router = groups().into_iter().map(|(scope, group)| match scope {
        Some(scope) => group.route_layer(from_fn_with_state((Arc::clone(app), scope), permit)),
        None => group,
    });
    let (router, document) = joined(router).split_for_parts();
    let document = Bytes::from(document.to_json().unwrap_or_default());
    let described = move || async move {
        let json = HeaderValue::from_static("application/json");
        ([(CONTENT_TYPE, json)], document)
    };
    router
        .route("/openapi.json", axum::routing::get(described))
        .fallback(absent)
        .method_not_allowed_fallback(other_method)
        .layer(map_response(secured))
        .layer(from_fn_with_state(Arc::clone(app), admit))
        .with_state(Arc::clone(app))
}

/// The description of all routes for OpenAPI.
pub fn document() -> OpenApi {
    let groups = groups().into_iter().map(|(_, group)| group);
    joined(groups).into_openapi()
}

/// The routes, and the scope that each group needs.
fn groups() -> [(Option<Scope>, OpenApiRouter<Arc<App>>); 4] {
    let read = OpenApiRouter::new()
        .routes(routes!(devices::list))
        .routes(routes!(devices::one))
        .routes(routes!(results::results))
        .routes(routes!(stream::stream))
        .routes(routes!(plans::list))
        .routes(routes!(audit::head))
        .routes(routes!(health::metrics));
    let run = OpenApiRouter::new()
        .routes(routes!(devices::acquisition))
        .routes(routes!(devices::offload))
        .routes(routes!(plans::run));
    let update = OpenApiRouter::new().routes(routes!(devices::update));
    let open = OpenApiRouter::new().routes(routes!(health::health));
    [
        (Some(Scope::Read), read),
        (Some(Scope::Run), run),
        (Some(Scope::Update), update),
        (None, open),
    ]
}

fn joined(groups: impl Iterator<Item = OpenApiRouter<Arc<App>>>) -> OpenApiRouter<Arc<App>> {
    groups.fold(
        OpenApiRouter::with_openapi(preamble()),
        OpenApiRouter::merge,
    )
}

/// Adds what keeps a browser from doing anything with an answer but show it.
async fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert("x-content-type-options", nosniff);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn preamble() -> OpenApi {
    let info = InfoBuilder::new()
        .title("microtome")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The daemon beside the instrument. Errors are application/problem+json.",
        ));
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let components = ComponentsBuilder::new().security_scheme("token", bearer);
    OpenApiBuilder::new()
        .info(info.build())
        .components(Some(components.build()))
        .build()
}

async fn absent(request: Request) -> Problem {
    let path = request.uri().path();
    let path: String = path.chars().take(128).collect();
    Problem::absent(format!(
        "there is nothing at {path}; /openapi.json lists what there is"
    ))
}

async fn other_method(request: Request) -> Problem {
    let method = request.method();
    Problem::method(format!(
        "{method} is not for this path; /openapi.json lists what is"
    ))
}

/// A body of `len_max` bytes at most that comes within the time for bodies.
async fn body(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    len_max: usize,
) -> Result<Bytes, Problem> {
    let too_long = || Problem::body_len(format!("this takes {len_max} bytes at most"));
    let announced = headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|len| len.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|len| len > len_max as u64) {
        return Err(too_long());
    }
    let time_max = seconds(app.config.limits.body_timeout_s);
    match timeout(time_max, to_bytes(body, len_max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_too_long(&error) => Err(too_long()),
        Ok(Err(_)) => Err(Problem::request("the body broke off")),
        Err(_) => Err(Problem::slow_body(format!(
            "it has {} seconds",
            time_max.as_secs()
        ))),
    }
}

fn is_too_long(error: &axum::Error) -> bool {
    let mut cause = Some(error as &dyn std::error::Error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A short body in JSON.
async fn json<T: serde::de::DeserializeOwned>(app: &App, request: Request) -> Result<T, Problem> {
    let (parts, stream) = request.into_parts();
    let media_type = media_type(&parts.headers);
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Problem::media_type("this takes application/json"));
    }
    let bytes = body(app, &parts.headers, stream, JSON_BYTES_MAX).await?;
    serde_json::from_slice(&bytes).map_err(|error| Problem::input(error.to_string()))
}

/// The media type of a body, without its parameters.
fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or_default().trim()
}

/// An answer in JSON.
fn answer(value: impl serde::Serialize) -> Response {
    Json(value).into_response()
}

fn too_many_runs() -> Problem {
    Problem::busy("as many plans run, or updates are received, as may at a time")
}
