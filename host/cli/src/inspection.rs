//! What a plan consists of and what a run costs: the facts behind `inspect`'s tables, JSON and
//! page.

use crate::commands::run::hex;
use crate::model::Model;
use microtome_board::Board as BoardInfo;
use microtome_compiler::{Held, NodeReport, arena_lower_bound, arena_map};
use microtome_kernels::{Packing, dispatch};
use microtome_plan::{Element, ModelType, Op as PlanOp, Plan, Port as PlanPort, Step, Target};
use serde::Serialize;
use std::ops::Range;

/// All that is known of a plan without running it.
#[derive(Serialize)]
pub struct Inspection {
    pub model: String,
    pub plan_hash: String,
    /// What the constants are packed for.
    pub target: String,
    /// The kernel set that this computer's processor runs it with.
    pub kernels: &'static str,
    pub macs: usize,
    pub arena_bytes: usize,
    pub arena_lower_bound_bytes: usize,
    pub plan_bytes: usize,
    pub constants_bytes: usize,
    /// Bytes that are kept from run to run.
    pub state_bytes: usize,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    pub ops: Vec<Op>,
    pub buffers: Vec<Buffer>,
    pub boards: Vec<Board>,
    /// One entry a node of the source model; none where a plan was given.
    pub nodes: Vec<Node>,
    /// Where the plan is not exactly the model.
    pub notes: Vec<String>,
}

/// An input or output.
#[derive(Serialize)]
pub struct Port {
    pub name: String,
    pub shape: Vec<usize>,
    pub dtype: &'static str,
    pub scale: f32,
    pub zero_point: i8,
    pub arena: [usize; 2],
}

/// A step.
#[derive(Serialize)]
pub struct Op {
    pub op: &'static str,
    pub name: String,
    /// Types of the elements that it reads and writes: `i8`, `i8→f32`.
    pub elements: String,
    /// Whether it computes in integers alone.
    pub integer: bool,
    /// The kernel set that the plan is packed for, and lanes × taps of the weights where they are
    /// not in rows.
    pub kernels: String,
    pub output_shape: [usize; 3],
    pub output_scale: f32,
    pub macs: usize,
    pub constants_bytes: usize,
    pub state_bytes: usize,
    pub scratch_bytes: usize,
    pub reads: Vec<[usize; 2]>,
    pub writes: Vec<[usize; 2]>,
    pub state: Vec<[usize; 2]>,
}

/// A piece of the arena. Moment 0 is before the first step, step `i` is moment `i + 1`.
#[derive(Serialize)]
pub struct Buffer {
    /// input, activation, output, state or scratch.
    pub kind: String,
    pub name: String,
    pub arena: [usize; 2],
    pub first: usize,
    pub last: usize,
    /// Bytes as the planner counts them.
    #[serde(skip)]
    pub size: usize,
}

/// Whether a board has room.
#[derive(Serialize)]
pub struct Board {
    pub board: String,
    pub arch: String,
    /// The arena and a frame beside it, as a share of the memory for them.
    pub arena_share: f64,
    /// The plan's share of its slot in flash; none where it is a file.
    pub plan_share: Option<f64>,
}

/// What became of a node of the source model.
#[derive(Serialize)]
pub struct Node {
    pub node: String,
    pub op: String,
    pub fate: String,
}

impl From<&NodeReport> for Node {
    fn from(report: &NodeReport) -> Self {
        Self {
            node: report.name.clone(),
            op: report.op.clone(),
            fate: report.fate.to_string(),
        }
    }
}

impl Inspection {
    /// What is known of `model`.
    pub fn new(model: &Model) -> Self {
        let plan = model.plan.plan();
        let manifest = plan.manifest();
        let ops: Vec<Op> = plan
            .steps()
            .map(|step| op(&step, manifest.target))
            .collect();
        let held = arena_map(&plan);
        let report = model.source.as_ref().map(|source| &source.report);
        let nodes = report.iter().flat_map(|report| &report.nodes);
        let notes = report.iter().flat_map(|report| &report.notes);
        Self {
            model: model.name(),
            plan_hash: hex(&plan.digest()),
            target: manifest.target.to_string(),
            kernels: dispatch::best().name,
            macs: model.macs(),
            arena_bytes: manifest.arena_bytes,
            arena_lower_bound_bytes: arena_lower_bound(&plan),
            plan_bytes: plan.len_bytes(),
            constants_bytes: plan.constants().len(),
            state_bytes: ops.iter().map(|op| op.state_bytes).sum(),
            inputs: manifest.inputs.iter().map(port).collect(),
            outputs: manifest.outputs.iter().map(port).collect(),
            buffers: held.iter().map(|held| buffer(held, &plan, &ops)).collect(),
            boards: boards(&plan),
            nodes: nodes.map(Node::from).collect(),
            notes: notes.map(ToString::to_string).collect(),
            ops,
        }
    }
}

fn pair(span: Range<usize>) -> [usize; 2] {
    [span.start, span.end]
}

fn port(port: &PlanPort<'_>) -> Port {
    Port {
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
        arena: pair(port.at.span(port.len_bytes())),
    }
}

fn op(step: &Step<'_>, target: Target) -> Op {
    let operator = step.op.operator();
    let shape = operator.output_shape();
    let reads: Vec<Element> = operator.inputs().iter().map(|it| it.element).collect();
    let writes: Vec<Element> = operator.outputs().iter().map(|it| it.element).collect();
    let (from, to) = (element(reads.first()), element(writes.first()));
    Op {
        op: operator.kind(),
        name: step.name.to_owned(),
        elements: if from == to {
            to.to_owned()
        } else {
            format!("{from}→{to}")
        },
        integer: !reads.iter().chain(&writes).any(|&it| it == Element::F32),
        kernels: kernels(step, target),
        output_shape: [shape.height, shape.width, shape.channels],
        output_scale: step.scale,
        macs: operator.macs(),
        constants_bytes: operator.constants().iter().map(|it| it.bytes()).sum(),
        state_bytes: operator.state().iter().map(|it| it.bytes()).sum(),
        scratch_bytes: operator.scratch_bytes(),
        reads: step.reads().into_iter().map(pair).collect(),
        writes: step.writes().into_iter().map(pair).collect(),
        state: step.kept().into_iter().map(pair).collect(),
    }
}

fn kernels(step: &Step<'_>, target: Target) -> String {
    let set = target.kernels();
    match &step.op {
        PlanOp::Conv2d(conv) if conv.packing != Packing::ROWS => {
            format!("{set} {}×{}", conv.packing.lanes, conv.packing.taps)
        }
        _ => set.to_owned(),
    }
}

const fn element(element: Option<&Element>) -> &'static str {
    match element {
        Some(Element::I8) => "i8",
        Some(Element::I16) => "i16",
        Some(Element::I32) => "i32",
        Some(Element::F32) => "f32",
        None => "—",
    }
}

fn buffer(held: &Held, plan: &Plan<'_>, ops: &[Op]) -> Buffer {
    let inputs = plan.manifest().inputs.iter();
    let mut inputs = inputs.filter(|port| port.at.0 == held.span.start);
    let name = match &*held.written_by {
        [] => inputs.next().map_or("", |port| port.name).to_owned(),
        steps => {
            let names = steps.iter().map(|&step| &*ops[step].name);
            names.collect::<Vec<_>>().join(", ")
        }
    };
    Buffer {
        kind: held.what.to_string(),
        name,
        arena: pair(held.span.clone()),
        first: held.first,
        last: held.last,
        size: held.size(),
    }
}

/// Every board, and whether it has room. Beside the arena a board keeps one frame, which a sensor
/// fills while a run goes on.
fn boards(plan: &Plan<'_>) -> Vec<Board> {
    let frame: usize = plan.manifest().inputs.iter().map(PlanPort::len_bytes).sum();
    let memory = plan.manifest().arena_bytes + frame;
    let share = |used: usize, of: u64| used as f64 / of as f64;
    let board = |board: &BoardInfo| Board {
        board: board.name.clone(),
        arch: board.arch.clone(),
        arena_share: share(memory, board.memory.arena_bytes),
        plan_share: board
            .memory
            .plan
            .as_ref()
            .map(|slot| share(plan.len_bytes(), slot.bytes)),
    };
    microtome_board::boards().iter().map(board).collect()
}

/// A board's share for people.
pub fn percent(share: f64) -> String {
    if share > 1.0 {
        "too small".to_owned()
    } else {
        format!("{:.1} %", share * 100.0)
    }
}
