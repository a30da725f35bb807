//! `microtome inspect`: what a plan consists of and what a run costs in memory and work.

use crate::commands::run::hex;
use crate::model::Model;
use crate::report::{self, grouped};
use anyhow::Result;
use microtome_plan::{ModelType, Plan, Port, Step};
use serde::Serialize;
use std::ops::Range;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// A model file (.onnx, .tflite) or a plan (.mtp)
    model: PathBuf,
}

#[derive(Serialize)]
struct Json {
    model: String,
    plan_hash: String,
    target: String,
    macs: usize,
    arena_bytes: usize,
    arena_lower_bound_bytes: usize,
    plan_bytes: usize,
    constants_bytes: usize,
    inputs: Vec<PortEntry>,
    outputs: Vec<PortEntry>,
    ops: Vec<OpEntry>,
}

#[derive(Serialize)]
struct PortEntry {
    name: String,
    shape: Vec<usize>,
    dtype: &'static str,
    scale: f32,
    zero_point: i8,
    arena: [usize; 2],
}

#[derive(Serialize)]
struct OpEntry {
    op: &'static str,
    name: String,
    output_shape: [usize; 3],
    output_scale: f32,
    macs: usize,
    constants_bytes: usize,
    reads: Vec<[usize; 2]>,
    writes: Vec<[usize; 2]>,
    state: Vec<[usize; 2]>,
    scratch_bytes: usize,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let model = Model::load(&args.model)?;
    let plan = model.plan.plan();
    let manifest = plan.manifest();
    let lower_bound = microtome_compiler::arena_lower_bound(&plan);
    let ops: Vec<OpEntry> = plan.steps().map(|step| op_entry(&step)).collect();
    if json {
        return report::json(&Json {
            model: model.name(),
            plan_hash: hex(&plan.digest()),
            target: manifest.target.to_string(),
            macs: model.macs(),
            arena_bytes: manifest.arena_bytes,
            arena_lower_bound_bytes: lower_bound,
            plan_bytes: plan.len_bytes(),
            constants_bytes: plan.constants().len(),
            inputs: manifest.inputs.iter().map(port_entry).collect(),
            outputs: manifest.outputs.iter().map(port_entry).collect(),
            ops,
        });
    }
    report::facts(&[
        ("model", model.name()),
        ("plan hash", hex(&plan.digest())),
        ("packed for", manifest.target.to_string()),
        ("MACs", grouped(model.macs())),
        ("arena", format!("{} B", grouped(manifest.arena_bytes))),
        ("arena, lower bound", format!("{} B", grouped(lower_bound))),
        ("plan", format!("{} B", grouped(plan.len_bytes()))),
        (
            "of it constants",
            format!("{} B", grouped(plan.constants().len())),
        ),
    ]);
    print_ports(&plan);
    print_ops(&ops);
    print_boards(&plan);
    Ok(())
}

fn print_ports(plan: &Plan<'_>) {
    let mut table = report::table(
        ["port", "name", "shape", "type", "scale", "zero", "arena"],
        4,
    );
    let manifest = plan.manifest();
    let inputs = manifest.inputs.iter().map(|port| ("input", port));
    for (kind, port) in inputs.chain(manifest.outputs.iter().map(|port| ("output", port))) {
        let entry = port_entry(port);
        table.add_row([
            kind.to_owned(),
            entry.name,
            format!("{:?}", entry.shape),
            entry.dtype.to_owned(),
            entry.scale.to_string(),
            entry.zero_point.to_string(),
            format!("{}..{}", entry.arena[0], entry.arena[1]),
        ]);
    }
    println!("{table}");
}

fn print_ops(ops: &[OpEntry]) {
    let heads = [
        "step",
        "op",
        "ends with node",
        "output",
        "scale",
        "MACs",
        "constants, B",
        "writes",
    ];
    let mut table = report::table(heads, 4);
    for (index, op) in ops.iter().enumerate() {
        let [height, width, channels] = op.output_shape;
        table.add_row([
            index.to_string(),
            op.op.to_owned(),
            op.name.clone(),
            format!("{height}×{width}×{channels}"),
            op.output_scale.to_string(),
            grouped(op.macs),
            grouped(op.constants_bytes),
            spans(&op.writes),
        ]);
    }
    println!("{table}");
}

/// Spans of the arena, for people.
fn spans(spans: &[[usize; 2]]) -> String {
    let text = spans.iter().map(|[start, end]| format!("{start}..{end}"));
    text.collect::<Vec<_>>().join(" ")
}

/// Whether each board has room for the plan.
fn print_boards(plan: &Plan<'_>) {
    // Beside the arena a board keeps one frame, which a sensor fills while a run goes on.
    let frame_bytes: usize = plan.manifest().inputs.iter().map(Port::len_bytes).sum();
    let memory_bytes = plan.manifest().arena_bytes + frame_bytes;
    let mut table = report::table(["board", "arch", "arena and a frame", "plan slot"], 2);
    for board in microtome_board::boards() {
        let share = |used: usize, of: u64| {
            let percent = used as f64 * 100.0 / of as f64;
            if used as u64 > of {
                "too small".to_owned()
            } else {
                format!("{percent:.1} %")
            }
        };
        let arena = share(memory_bytes, board.memory.arena_bytes);
        let slot = board
            .memory
            .plan
            .as_ref()
            .map(|slot| share(plan.len_bytes(), slot.bytes));
        table.add_row([
            &board.name,
            &board.arch,
            &arena,
            &slot.unwrap_or_else(|| "a file".into()),
        ]);
    }
    println!("{table}");
}

fn port_entry(port: &Port<'_>) -> PortEntry {
    let span = port.at.span(port.len_bytes());
    PortEntry {
        name: port.name.to_owned(),
        shape: port.dims.to_vec(),
        dtype: match port.model_type {
            ModelType::F32 => "float32",
            ModelType::I8 => "int8",
            ModelType::U8 => "uint8",
            ModelType::I32 => "int32",
            ModelType::I64 => "int64",
            ModelType::Bool => "bool",
        },
        scale: port.scale,
        zero_point: port.zero,
        arena: [span.start, span.end],
    }
}

fn op_entry(step: &Step<'_>) -> OpEntry {
    let operator = step.op.operator();
    let shape = operator.output_shape();
    let pair = |span: Range<usize>| [span.start, span.end];
    OpEntry {
        op: operator.kind(),
        name: step.name.to_owned(),
        output_shape: [shape.height, shape.width, shape.channels],
        output_scale: step.scale,
        macs: operator.macs(),
        constants_bytes: operator.constants().iter().map(|it| it.bytes()).sum(),
        reads: step.reads().into_iter().map(pair).collect(),
        writes: step.writes().into_iter().map(pair).collect(),
        state: step.kept().into_iter().map(pair).collect(),
        scratch_bytes: operator.scratch_bytes(),
    }
}
