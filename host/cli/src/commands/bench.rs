//! `microtome bench`: latency percentiles on a clock, instructions on emulated boards.

use crate::array::{Array, Sample};
use crate::board_run::{BoardRan, BoardRun};
use crate::commands::run::samples;
use crate::executor::{self, Name};
use crate::model::Model;
use crate::reference::Reference;
use crate::report::{self, grouped};
use anyhow::{Result, bail};
use microtome_board::Board;
use microtome_plan::{Element, ModelType, Port};
use ndarray::{ArrayD, IxDyn};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args)]
pub struct Args {
    /// A model file (.onnx, .tflite) or a plan (.mtp)
    model: PathBuf,
    /// cpu, gpu, tract, or a board
    #[arg(long, default_value = "cpu")]
    backend: Name,
    /// Samples to run, as for `run`; without them one of pseudo-random values is made
    #[arg(long)]
    input: Option<PathBuf>,
    /// How often the model runs, after a tenth as many runs to warm up; instructions are counted
    /// in one run
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// The board's image, instead of one that is built from the checkout
    #[arg(long)]
    firmware: Option<PathBuf>,
}

#[derive(Serialize)]
struct Json {
    model: String,
    backend: String,
    /// The executor with its adapter, on this computer.
    #[serde(skip_serializing_if = "Option::is_none")]
    executor: Option<String>,
    samples: usize,
    macs: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    instructions_per_op: Vec<OpCost>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_us: Option<Percentiles>,
    arena_bytes: usize,
    plan_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_bytes: Option<u64>,
}

#[derive(Serialize)]
struct OpCost {
    op: &'static str,
    name: String,
    macs: usize,
    instructions: u64,
}

#[derive(Serialize)]
struct Percentiles {
    p50: f64,
    p95: f64,
    p99: f64,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let model = Model::load_for(&args.model, args.backend.target())?;
    let samples = match &args.input {
        Some(path) => samples(&model, path)?,
        None => vec![random_sample(&model)],
    };
    let mut result = Json {
        model: model.name(),
        backend: args.backend.to_string(),
        executor: None,
        samples: samples.len(),
        macs: model.macs(),
        instructions: None,
        instructions_per_op: Vec::new(),
        latency_us: None,
        arena_bytes: model.plan.plan().manifest().arena_bytes,
        plan_bytes: model.plan.bytes().len(),
        code_bytes: None,
    };
    match args.backend {
        Name::Board(board) => on_board(board, args, &model, &samples, &mut result)?,
        Name::Tract => {
            let reference = Reference::of(&model)?;
            let time =
                |sample: &Sample| Ok(reference.run(std::slice::from_ref(sample))?.latency_us);
            result.latency_us = Some(percentiles(timed(args.runs, &samples, time)?));
        }
        Name::Cpu | Name::Gpu => {
            let mut backend = executor::open(args.backend, &model)?;
            result.executor = Some(backend.name());
            let samples = executor::to_arena(&model, &samples)?;
            let time = |sample: &Vec<&[u8]>| {
                let begin = Instant::now();
                backend.run(std::slice::from_ref(sample))?;
                Ok(begin.elapsed().as_secs_f64() * 1e6)
            };
            result.latency_us = Some(percentiles(timed(
                args.runs,
                &executor::borrowed(&samples),
                time,
            )?));
        }
    }
    if json {
        report::json(&result)
    } else {
        print(&result)
    }
}

/// A sample of pseudo-random numbers, the same at every call: all int8 values of what is
/// quantized, −1 to 1 of what is float, and zeros of integers, which may be indices.
fn random_sample(model: &Model) -> Sample {
    let plan = model.plan.plan();
    let mut state = 1_u32;
    let mut next = || {
        // The generator of "Numerical Recipes".
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as i8
    };
    let array = |port: &Port<'_>| {
        let dims = IxDyn(&port.dims);
        match (port.element, port.model_type) {
            (Element::F32, _) => {
                let next = || f32::from(next()) / 128.0;
                Array::F32(ArrayD::from_shape_simple_fn(dims, next))
            }
            (_, ModelType::I32 | ModelType::I64) => Array::I32(ArrayD::zeros(dims)),
            (_, ModelType::Bool) => Array::Bool(ArrayD::from_shape_simple_fn(dims, || next() >= 0)),
            (_, ModelType::U8) => Array::U8(ArrayD::from_shape_simple_fn(dims, || {
                next().cast_unsigned()
            })),
            _ => Array::I8(ArrayD::from_shape_simple_fn(dims, &mut next)),
        }
    };
    plan.manifest().inputs.iter().map(array).collect()
}

/// The time of each of `runs` runs, over the samples in turn, in microseconds.
fn timed<S>(runs: u32, samples: &[S], mut time: impl FnMut(&S) -> Result<f64>) -> Result<Vec<f64>> {
    let warm_up = runs as usize / 10;
    let turns = samples.iter().cycle().take(warm_up + runs as usize);
    let times: Vec<f64> = turns.map(&mut time).collect::<Result<_>>()?;
    Ok(times[warm_up..].to_vec())
}

fn percentiles(mut times: Vec<f64>) -> Percentiles {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    Percentiles {
        p50: at(0.50),
        p95: at(0.95),
        p99: at(0.99),
    }
}

fn on_board(
    board: &'static Board,
    args: &Args,
    model: &Model,
    samples: &[Sample],
    result: &mut Json,
) -> Result<()> {
    let counts = board.clock.instructions_per_tick.is_some();
    let runs = if counts { 1 } else { args.runs as usize };
    let frames = executor::to_frames(model, samples)?;
    let frames: Vec<Vec<u8>> = frames
        .iter()
        .cycle()
        .take(runs.max(samples.len()))
        .cloned()
        .collect();
    let run = BoardRun {
        board,
        firmware: args.firmware.clone(),
        profile: counts,
    };
    let ran = run.run(&model.plan, &frames)?;
    if board.firmware.target.is_some() {
        result.code_bytes = Some(ran.code_bytes()?);
    }
    if counts {
        return count_instructions(board, &ran, model, result);
    }
    let us = |ticks: u64| ticks as f64 * 1e6 / ran.ticks_hz;
    result.latency_us = Some(percentiles(
        ran.samples.iter().map(|s| us(s.ticks)).collect(),
    ));
    Ok(())
}

/// Instructions of the first sample: of the whole run, and of each step of a profiled run.
fn count_instructions(
    board: &Board,
    ran: &BoardRan,
    model: &Model,
    result: &mut Json,
) -> Result<()> {
    let Some(sample) = ran.samples.first() else {
        bail!("the board ran no sample")
    };
    let plan = model.plan.plan();
    let costs = plan
        .steps()
        .zip(&sample.step_ticks)
        .map(|(step, &ticks)| OpCost {
            op: step.op.operator().kind(),
            name: step.name.to_owned(),
            macs: step.op.operator().macs(),
            instructions: board.instructions(ticks).unwrap_or_default(),
        });
    result.instructions_per_op = costs.collect();
    result.instructions = board.instructions(sample.ticks);
    Ok(())
}

fn print(result: &Json) -> Result<()> {
    let mut facts = vec![
        ("model", result.model.clone()),
        (
            "backend",
            result.executor.as_ref().unwrap_or(&result.backend).clone(),
        ),
        ("MACs", grouped(result.macs)),
        ("arena", format!("{} B", grouped(result.arena_bytes))),
        ("plan", format!("{} B", grouped(result.plan_bytes))),
    ];
    if let Some(bytes) = result.code_bytes {
        facts.push(("code", format!("{} B", grouped(bytes))));
    }
    if let Some(Percentiles { p50, p95, p99 }) = result.latency_us {
        let text = format!("p50 {p50:.1} µs, p95 {p95:.1} µs, p99 {p99:.1} µs");
        facts.push(("latency", text));
    }
    if let Some(instructions) = result.instructions {
        let per_mac = instructions as f64 / result.macs.max(1) as f64;
        let text = format!("{} ({per_mac:.2} a MAC); not cycles", grouped(instructions));
        facts.push(("instructions", text));
    }
    report::facts(&facts);
    if !result.instructions_per_op.is_empty() {
        let mut table = report::table(["step", "op", "node", "MACs", "instructions", "a MAC"], 3);
        for (index, cost) in result.instructions_per_op.iter().enumerate() {
            let per_mac = cost.instructions as f64 / cost.macs as f64;
            table.add_row([
                index.to_string(),
                cost.op.to_owned(),
                cost.name.clone(),
                grouped(cost.macs),
                grouped(cost.instructions),
                if cost.macs > 0 {
                    format!("{per_mac:.2}")
                } else {
                    String::new()
                },
            ]);
        }
        println!("{table}");
    }
    Ok(())
}
