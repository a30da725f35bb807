//! Plans on the host's executors.

use super::{answer, body};
use crate::host::NoRun;
use crate::input::{self, Form};
use crate::problem::Problem;
use crate::state::App;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use microtome_journal::Hash;
use microtome_journal::record::Answer;
use microtome_plan::{Element, PlanBuf, Port};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use utoipa::ToSchema;

/// The plans that can be run.
#[derive(Serialize, ToSchema)]
pub(super) struct Plans {
    plans: Vec<Plan>,
}

/// A plan that can be run.
#[derive(Serialize, ToSchema)]
pub(super) struct Plan {
    /// Name of its model.
    model: String,
    /// Its hash.
    #[schema(value_type = String)]
    plan: Hash,
    inputs: Vec<PortJson>,
    outputs: Vec<PortJson>,
}

/// An input or output of a plan.
#[derive(Serialize, ToSchema)]
#[schema(as = Port)]
pub(super) struct PortJson {
    name: String,
    /// Its axes in the model's order.
    shape: Vec<usize>,
    /// The type that the model's user gives or gets.
    model_type: String,
    /// The type of the elements in the arena.
    dtype: &'static str,
    /// Its axes in the arena's order, which raw bytes have.
    arena_shape: Vec<usize>,
    /// Quantized values stand for scale · (value − zero).
    scale: f32,
    zero: i8,
}

/// What a run gave.
#[derive(Serialize, ToSchema)]
pub(super) struct RanJson {
    model: String,
    #[schema(value_type = String)]
    plan: Hash,
    /// What ran it.
    executor: String,
    /// What was seen, as records have it.
    #[schema(value_type = Object)]
    answer: Answer,
    /// How sure that is, 0 to 1.
    confidence: f32,
    outputs: Vec<Output>,
    latency_us: Times,
}

/// A raw output.
#[derive(Serialize, ToSchema)]
pub(super) struct Output {
    #[serde(flatten)]
    port: PortJson,
    /// The elements in the arena's order, little-endian, in Base64.
    data: String,
}

/// Microseconds of a run.
#[derive(Serialize, ToSchema)]
pub(super) struct Times {
    queue: u64,
    executor: u64,
}

impl PortJson {
    fn new(port: &Port<'_>) -> Self {
        let axes = port.order.iter().map(|&axis| port.dims[usize::from(axis)]);
        Self {
            name: port.name.to_owned(),
            shape: port.dims.to_vec(),
            model_type: format!("{:?}", port.model_type).to_lowercase(),
            dtype: match port.element {
                Element::I8 => "int8",
                Element::I16 => "int16",
                Element::I32 => "int32",
                Element::F32 => "float32",
            },
            arena_shape: axes.collect(),
            scale: port.scale,
            zero: port.zero,
        }
    }
}

/// The plans that can be run.
#[utoipa::path(
    get, path = "/v1/plans", tag = "plans", security((), ("token" = ["read"])),
    responses((status = 200, body = Plans), (status = "4XX", body = Problem)),
)]
pub(super) async fn list(State(app): State<Arc<App>>) -> Response {
    let plans = app.host.plans().iter().map(|buf| {
        let plan = buf.plan();
        let manifest = plan.manifest();
        Plan {
            model: manifest.model.to_owned(),
            plan: Hash(buf.digest()),
            inputs: manifest.inputs.iter().map(PortJson::new).collect(),
            outputs: manifest.outputs.iter().map(PortJson::new).collect(),
        }
    });
    answer(Plans {
        plans: plans.collect(),
    })
}

/// Runs a plan on one input: its bytes as the arena has them, or a NumPy file in the model's
/// layout. Boards' questions come first.
#[utoipa::path(
    post, path = "/v1/plans/{plan}/run", tag = "plans", security((), ("token" = ["run"])),
    params(("plan" = String, Path, description = "The plan's hash, or its model's name")),
    request_body(
        description = "application/octet-stream or application/x-npy",
        content_type = "application/octet-stream",
    ),
    responses(
        (status = 200, body = RanJson), (status = "4XX", body = Problem),
        (status = 503, body = Problem), (status = 504, body = Problem),
    ),
)]
pub(super) async fn run(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let Path(name) = name?;
    let plan = find(&app, &name)?;
    let (parts, stream) = request.into_parts();
    let form = Form::of(super::media_type(&parts.headers)).ok_or_else(|| {
        Problem::media_type("this takes application/octet-stream or application/x-npy")
    })?;
    // Before the body is read: what waits here is not in memory.
    let _run = app.runs.try_acquire().map_err(|_| super::too_many_runs())?;
    let len_max = app.config.limits.input_bytes_max as usize;
    let bytes = body(&app, &parts.headers, stream, len_max).await?;
    let values = to_values(&plan, &bytes, form)?;
    let time_max = app.run_time_max();
    let running = app.host.run(&plan, values, time_max);
    let ran = timeout(time_max, running).await.unwrap_or(Err(NoRun::Late));
    let ran = ran.map_err(|error| match error {
        NoRun::Busy(why) => Problem::busy(why),
        NoRun::Late => Problem::no_answer(NoRun::Late.to_string()),
        NoRun::Failed(why) => Problem::failed(why),
    })?;
    let parsed = plan.plan();
    let ports = parsed.manifest().outputs.iter().zip(&ran.outputs);
    let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Ok(answer(RanJson {
        model: parsed.manifest().model.to_owned(),
        plan: Hash(plan.digest()),
        executor: ran.executor,
        answer: ran.answer,
        confidence: ran.confidence,
        outputs: ports
            .map(|(port, bytes)| Output {
                port: PortJson::new(port),
                data: STANDARD.encode(bytes),
            })
            .collect(),
        latency_us: Times {
            queue: us(ran.queue),
            executor: us(ran.run),
        },
    }))
}

fn find(app: &App, name: &str) -> Result<Arc<PlanBuf>, Problem> {
    let hash = name.parse::<Hash>().ok();
    let mut plans = app.host.plans().iter();
    let found = plans.find(|plan| match hash {
        Some(hash) => plan.digest() == hash.0,
        None => plan.plan().manifest().model == name,
    });
    found.cloned().ok_or_else(|| {
        Problem::absent(
            "no such plan can be run; /v1/plans lists those that can, and `run` in the section \
             [api] adds models",
        )
    })
}

/// The bytes of the plan's only input.
fn to_values(plan: &PlanBuf, body: &[u8], form: Form) -> Result<Vec<u8>, Problem> {
    let plan = plan.plan();
    let [port] = &plan.manifest().inputs[..] else {
        return Err(Problem::conflict(
            "the plan has several inputs; the API runs plans with one",
        ));
    };
    input::values(body, form, port).map_err(|error| Problem::input(error.to_string()))
}
