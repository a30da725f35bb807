//! From a trained model to a plan.
//!
//! Folders in the order in which a model passes through them:
//!
//! 1. `import`: reads the file, ONNX by tract and TFLite by itself; other forms of quantization
//!    become QDQ. What comes out is in ONNX's terms, has all shapes, and names no tract type.
//! 2. `lower`: one file an operator; source nodes become nodes of the graph, quantizers become
//!    the quantization of its edges, and layout changes become views.
//! 3. `graph`: the small intermediate form, its layouts and its verifier; `ops`: its operators,
//!    one file each, with the kernels that compute them.
//! 4. `pulse`: a stream, a few frames at a time, of a whole sequence, where that is wanted.
//! 5. `calibrate`: where samples are given, a float graph becomes int8 by them.
//! 6. `precision`: every node becomes integer or float as a whole.
//! 7. `select`: the kernel of each node, with the proof that no sum overflows.
//!    Weights are packed for the target, as `microtome_plan::target` says.
//! 8. `planner`: lifetimes and arena offsets.
//! 9. `emit`: constants, steps and manifest become one validated plan.
//!
//! Models are ONNX: float, or int8 as QDQ, QOperator, or with onnxruntime's own operators; what
//! cannot be compiled is refused with the node, the reason and a way out ([`CompileError`]). No
//! bytes make this crate panic.
#![deny(missing_docs)]

mod calibrate;
mod emit;
mod error;
mod graph;
mod import;
mod lower;
mod operators;
mod ops;
mod planner;
mod precision;
mod pulse;
mod report;
mod select;
mod tensor;

pub use calibrate::{
    Accuracy, CalibrationError, Method, OutputNoise, QuantizationReport, QuantizedEdge, Sample,
    Samples, Score, Truth,
};
pub use error::{CompileError, Format, Refusal, TensorError};
pub use import::reference::{FloatTensor, TractError, TractInput, TractModel};
pub use operators::{Operators, operators};
pub use planner::bound::{Held, What, arena_lower_bound, arena_map};
pub use report::{Fate, NodeReport, Note, Report, StepValue};
pub use tensor::{Tensor, Values};

use microtome_plan::{Cascade, PlanBuf, Target, Task};

/// What a plan is compiled for, beyond the model itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Options<'a> {
    /// Name of the model in the plan.
    pub model: &'a str,
    /// What the constants are packed for.
    pub target: Target,
    /// How the first output is read.
    pub task: Task<'a>,
    /// When a heavier model is asked, if there is one.
    pub cascade: Option<Cascade<'a>>,
    /// The frames of a run, for a plan of a stream; a whole sequence otherwise.
    pub pulse: Option<usize>,
    /// Inputs of which the values are known, by name: they become constants (ONNX alone).
    pub known: &'a [(&'a str, Tensor)],
    /// Samples by which a float model becomes int8; without, it stays float.
    pub calibration: Option<&'a Samples>,
}

impl<'a> Options<'a> {
    /// The generic target and raw outputs, for a model of that name.
    pub const fn new(model: &'a str) -> Self {
        Self {
            model,
            target: Target::Generic,
            task: Task::Raw,
            cascade: None,
            pulse: None,
            known: &[],
            calibration: None,
        }
    }
}

/// A plan, and what became of the model on the way to it.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The plan.
    pub plan: PlanBuf,
    /// What became of each source node, and what a run costs.
    pub report: Report,
}

/// Compiles the ONNX or TFLite model in `bytes`.
///
/// # Errors
/// [`CompileError`] names the node, the reason and the way out.
pub fn compile(bytes: &[u8], options: &Options<'_>) -> Result<Compiled, CompileError> {
    let source = import::read(bytes, lower::knows, options.pulse, options.known)?;
    let mut lowered = lower::lower(&source)?;
    lowered.graph.verify()?;
    if let Some(frames) = options.pulse {
        let axes = &source.frame_axes;
        lowered.graph = pulse::pulse(lowered.graph, frames, axes, &mut lowered.nodes)?;
    }
    let mut quantization = None;
    if let Some(samples) = options.calibration {
        let (graph, report) = calibrate::calibrate(&lowered.graph, samples)?;
        (lowered.graph, quantization) = (graph, Some(report));
    }
    let graph = precision::settle(lowered.graph, &mut lowered.nodes)?;
    let mut kernels = select::select(&graph)?;
    kernels.pack(options.target);
    let layout = planner::plan(&mut kernels);
    let plan = emit::emit(&kernels, &layout, options)?;
    let mut report = Report::new(lowered.nodes, source.notes, &kernels, &layout)
        .with_values(lowered.values, &kernels);
    report.quantization = quantization;
    tracing::info!(
        model = options.model,
        steps = kernels.nodes.len(),
        macs = report.macs,
        arena_bytes = report.arena_bytes,
        "compiled"
    );
    Ok(Compiled { plan, report })
}
