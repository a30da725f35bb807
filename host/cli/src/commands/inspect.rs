//! `microtome inspect`: what a plan consists of and what a run costs in memory and work.

use crate::inspection::{Board, Inspection, Op, percent};
use crate::model::{How, Model, target};
use crate::page;
use crate::report::{self, grouped};
use anyhow::{Context, Result};
use microtome_plan::{Target, repack};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// A model file (.onnx, .tflite) or a plan (.mtp)
    model: PathBuf,
    /// What it is packed for, unless the file is a plan that says so
    #[arg(long, value_parser = target())]
    target: Option<Target>,
    /// Where to write the same as a page with pictures (.html), which needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let mut model = match args.target {
        Some(target) => Model::load_as(&args.model, &How::packed_for(target))?,
        None => Model::load(&args.model)?,
    };
    if let (Some(target), None) = (args.target, &model.source) {
        model.plan = repack(&model.plan, target)?;
    }
    let inspection = Inspection::new(&model);
    if let Some(path) = &args.html {
        std::fs::write(path, page::render(&inspection))
            .with_context(|| format!("cannot write the page {}", path.display()))?;
        eprintln!("wrote {}", path.display());
    }
    if json {
        return report::json(&inspection);
    }
    report::facts(&facts(&inspection));
    print_ports(&inspection);
    print_ops(&inspection.ops);
    print_boards(&inspection.boards);
    Ok(())
}

/// The facts about the whole plan, for people.
pub fn facts(of: &Inspection) -> Vec<(&'static str, String)> {
    let bytes = |count: usize| format!("{} B", grouped(count));
    let integer = of.ops.iter().filter(|op| op.integer).count();
    let floats = of.ops.len() - integer;
    vec![
        ("model", of.model.clone()),
        ("plan hash", of.plan_hash.clone()),
        ("packed for", of.target.clone()),
        ("kernels here", of.kernels.to_owned()),
        ("steps", format!("{integer} integer, {floats} float")),
        ("MACs", grouped(of.macs)),
        ("arena", bytes(of.arena_bytes)),
        ("arena, lower bound", bytes(of.arena_lower_bound_bytes)),
        ("of it state", bytes(of.state_bytes)),
        ("plan", bytes(of.plan_bytes)),
        ("of it constants", bytes(of.constants_bytes)),
    ]
}

fn print_ports(of: &Inspection) {
    let heads = ["port", "name", "shape", "type", "scale", "zero", "arena"];
    let mut table = report::table(heads, 4);
    let inputs = of.inputs.iter().map(|port| ("input", port));
    for (kind, port) in inputs.chain(of.outputs.iter().map(|port| ("output", port))) {
        table.add_row([
            kind.to_owned(),
            port.name.clone(),
            format!("{:?}", port.shape),
            port.dtype.to_owned(),
            port.scale.to_string(),
            port.zero_point.to_string(),
            spans(&[port.arena]),
        ]);
    }
    println!("{table}");
}

fn print_ops(ops: &[Op]) {
    let heads = [
        "step",
        "op",
        "ends with node",
        "elements",
        "kernels",
        "output",
        "scale",
        "MACs",
        "constants, B",
        "state, B",
        "scratch, B",
        "writes",
    ];
    let mut table = report::table(heads, 5);
    for (index, op) in ops.iter().enumerate() {
        table.add_row([
            index.to_string(),
            op.op.to_owned(),
            op.name.clone(),
            op.elements.clone(),
            op.kernels.clone(),
            shape(op),
            op.output_scale.to_string(),
            grouped(op.macs),
            grouped(op.constants_bytes),
            grouped(op.state_bytes),
            grouped(op.scratch_bytes),
            spans(&op.writes),
        ]);
    }
    println!("{table}");
}

/// The shape of a step's first result, for people.
pub fn shape(op: &Op) -> String {
    let [height, width, channels] = op.output_shape;
    format!("{height}×{width}×{channels}")
}

/// Spans of the arena, for people.
pub fn spans(spans: &[[usize; 2]]) -> String {
    let text = spans.iter().map(|[start, end]| format!("{start}..{end}"));
    text.collect::<Vec<_>>().join(" ")
}

fn print_boards(boards: &[Board]) {
    let mut table = report::table(["board", "arch", "arena and a frame", "plan slot"], 2);
    for board in boards {
        let slot = board.plan_share.map(percent);
        table.add_row([
            &board.board,
            &board.arch,
            &percent(board.arena_share),
            &slot.unwrap_or_else(|| "a file".into()),
        ]);
    }
    println!("{table}");
}
