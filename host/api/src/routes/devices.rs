//! Devices: how they are, and what they ought to do.

use super::{answer, body, json};
use crate::hub::{Command, CommandError, Device, Status};
use crate::problem::Problem;
use crate::state::App;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use utoipa::ToSchema;

/// An update that takes longer goes on without whoever asked for it.
const UPDATE_TIME_MAX: Duration = Duration::from_secs(600);

type Name = Result<Path<String>, PathRejection>;

/// All devices.
#[derive(Serialize, ToSchema)]
pub(super) struct Devices {
    devices: Vec<Status>,
}

/// Whether a device acquires.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Acquisition {
    acquire: bool,
}

/// Whether a device's board may ask the heavier model.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Offload {
    offload: bool,
}

/// What became of an update.
#[derive(Serialize, ToSchema)]
pub(super) struct Updated {
    /// For people.
    detail: String,
}

fn device(app: &App, name: Name) -> Result<Arc<Device>, Problem> {
    let Path(name) = name?;
    let device = app.hub.device(&name);
    device
        .cloned()
        .ok_or_else(|| Problem::absent("there is no such device; /v1/devices lists them"))
}

/// Every device as it is at present.
#[utoipa::path(
    get, path = "/v1/devices", tag = "devices", security((), ("token" = ["read"])),
    responses((status = 200, body = Devices), (status = "4XX", body = Problem)),
)]
pub(super) async fn list(State(app): State<Arc<App>>) -> Response {
    answer(Devices {
        devices: app.hub.devices().map(|device| device.status()).collect(),
    })
}

/// One device as it is at present.
#[utoipa::path(
    get, path = "/v1/devices/{name}", tag = "devices", security((), ("token" = ["read"])),
    params(("name" = String, Path, description = "The user's name of the device")),
    responses((status = 200, body = Status), (status = "4XX", body = Problem)),
)]
pub(super) async fn one(State(app): State<Arc<App>>, name: Name) -> Result<Response, Problem> {
    Ok(answer(device(&app, name)?.status()))
}

/// Switches acquisition on or off. The answer has the wish; the device's state follows it.
#[utoipa::path(
    post, path = "/v1/devices/{name}/acquisition", tag = "devices",
    security((), ("token" = ["run"])),
    params(("name" = String, Path, description = "The user's name of the device")),
    request_body = Acquisition,
    responses((status = 200, body = Status), (status = "4XX", body = Problem)),
)]
pub(super) async fn acquisition(
    State(app): State<Arc<App>>,
    name: Name,
    request: Request,
) -> Result<Response, Problem> {
    let device = device(&app, name)?;
    let Acquisition { acquire } = json(&app, request).await?;
    device.set_acquire(acquire);
    Ok(answer(device.status()))
}

/// Switches offload on or off, also while the device acquires.
#[utoipa::path(
    put, path = "/v1/devices/{name}/offload", tag = "devices",
    security((), ("token" = ["run"])),
    params(("name" = String, Path, description = "The user's name of the device")),
    request_body = Offload,
    responses(
        (status = 200, body = Status), (status = "4XX", body = Problem),
        (status = 409, body = Problem, description = "The host can not answer this device"),
    ),
)]
pub(super) async fn offload(
    State(app): State<Arc<App>>,
    name: Name,
    request: Request,
) -> Result<Response, Problem> {
    let device = device(&app, name)?;
    let Offload { offload } = json(&app, request).await?;
    if offload && !device.status().can_offload {
        return Err(Problem::conflict(
            "the daemon can not answer this device: it has no heavier model, or no deadline",
        ));
    }
    device.set_offload(offload);
    Ok(answer(device.status()))
}

/// Pushes an update package to the device's board.
#[utoipa::path(
    post, path = "/v1/devices/{name}/update", tag = "devices",
    security((), ("token" = ["update"])),
    params(("name" = String, Path, description = "The user's name of the device")),
    request_body(content_type = "application/octet-stream", description = "The package"),
    responses(
        (status = 200, body = Updated), (status = "4XX", body = Problem),
        (status = 409, body = Problem, description = "The board refuses it, or is not there"),
        (status = 503, body = Problem), (status = 504, body = Problem),
    ),
)]
pub(super) async fn update(
    State(app): State<Arc<App>>,
    name: Name,
    request: Request,
) -> Result<Response, Problem> {
    let device = device(&app, name)?;
    let (parts, stream) = request.into_parts();
    if !super::media_type(&parts.headers).eq_ignore_ascii_case("application/octet-stream") {
        return Err(Problem::media_type("this takes application/octet-stream"));
    }
    // Before the body is read: what waits here is not in memory.
    let _run = app.runs.try_acquire().map_err(|_| super::too_many_runs())?;
    let len_max = app.config.limits.update_bytes_max as usize;
    let package = body(&app, &parts.headers, stream, len_max).await?;
    let done = device.carry_out(Command::Update(package.into()));
    let done = timeout(UPDATE_TIME_MAX, done).await;
    let outcome = done.map_err(|_| {
        Problem::no_answer("the update takes longer than it should: look into the daemon's log")
    })?;
    match outcome {
        Ok(detail) => Ok(answer(Updated { detail })),
        Err(error @ CommandError::Busy) => Err(Problem::busy(error.to_string())),
        Err(error @ (CommandError::Disconnected | CommandError::Refused(_))) => {
            Err(Problem::conflict(error.to_string()))
        }
    }
}
