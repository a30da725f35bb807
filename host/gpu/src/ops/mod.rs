//! From a plan to dispatches: one file an operator, which names its programs, the parameters that
//! they take and how its constants are packed. An operator is registered in [`PROGRAMS`] and
//! [`dispatch`].

mod add;
mod average_pool;
mod clamp;
mod conv2d;
mod depthwise;
mod max_pool;
mod pad;
mod params;
mod rescale;
mod softmax;

use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::conv2d::ConvConstants;
use microtome_plan::{ArenaAt, Op, OperandAt, Plan, Step};
use params::Job;

/// Every program there is.
#[cfg(test)]
const PROGRAMS: [&Program; 11] = [
    &add::PROGRAM,
    &average_pool::PROGRAM,
    &clamp::PROGRAM,
    &conv2d::PROGRAM,
    &conv2d::PROGRAM_TILE,
    &depthwise::PROGRAM,
    &depthwise::PROGRAM_QUAD,
    &max_pool::PROGRAM,
    &pad::PROGRAM,
    &rescale::PROGRAM,
    &softmax::PROGRAM,
];

/// Four int8 of the arena, or one 32-bit number.
pub(crate) const WORD_BYTES: usize = 4;

/// Bytes between the parameters of neighbouring steps: WebGPU's alignment of dynamic offsets.
pub(crate) const PARAMS_STRIDE: usize = 256;

/// A plan as the GPU runs it.
#[derive(Debug)]
pub(crate) struct Lowered {
    /// The steps in their order.
    pub dispatches: Vec<Dispatch>,
    /// What the programs read: weights, biases and factors, packed.
    pub constants: Vec<[u32; 4]>,
    /// Words of the arena of one sample.
    pub sample_words: usize,
}

/// One step: a program and what it is told.
#[derive(Debug)]
pub(crate) struct Dispatch {
    pub program: &'static Program,
    /// The bytes of the program's `Params`.
    pub params: Vec<u8>,
    /// Invocations that a sample takes.
    pub invocations: usize,
}

impl Dispatch {
    /// A dispatch of one invocation for each word of the output.
    fn of_quads<P: NoUninit>(program: &'static Program, params: &P, job: &Job) -> Self {
        let words = (job.output_len as usize).div_ceil(WORD_BYTES);
        Self::of_invocations(program, params, words)
    }

    fn of_invocations<P: NoUninit>(
        program: &'static Program,
        params: &P,
        invocations: usize,
    ) -> Self {
        const { assert!(size_of::<P>() <= PARAMS_STRIDE) };
        Self {
            program,
            params: bytemuck::bytes_of(params).to_vec(),
            invocations,
        }
    }
}

/// Lowers every step of `plan`. After each, `fits` is asked about the bytes of constants so far:
/// steps may share what they read in the plan, and packing is larger than the plan.
///
/// # Errors
/// What `fits` says, and [`Unsupported`] for the first step that has no program.
pub(crate) fn lower<E: From<Unsupported>>(
    plan: &Plan<'_>,
    fits: impl Fn(usize) -> Result<(), E>,
) -> Result<Lowered, E> {
    let sample_words = plan.manifest().arena_bytes.div_ceil(WORD_BYTES);
    let mut constants = Vec::new();
    let mut dispatches = Vec::with_capacity(plan.steps().len());
    for (index, step) in plan.steps().enumerate() {
        let writes = step.output();
        let job = Job {
            sample_words: sample_words as u32,
            output_at: writes.start as u32,
            output_len: writes.len() as u32,
        };
        let dispatch = dispatch(&step, job, plan, &mut constants).ok_or_else(|| Unsupported {
            index,
            kind: step.op.operator().kind(),
        })?;
        dispatches.push(dispatch);
        fits(size_of_val(constants.as_slice()))?;
    }
    Ok(Lowered {
        dispatches,
        constants,
        sample_words,
    })
}

/// Whether a step of `plan` has a program; it takes no GPU to tell.
pub fn has_program(plan: &Plan<'_>, step: &Step<'_>) -> bool {
    let writes = step.output();
    let job = Job {
        sample_words: plan.manifest().arena_bytes.div_ceil(WORD_BYTES) as u32,
        output_at: writes.start as u32,
        output_len: writes.len() as u32,
    };
    dispatch(step, job, plan, &mut Vec::new()).is_some()
}

/// A step whose operator, or a form of it, has no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsupported {
    /// Index of the step.
    pub index: usize,
    /// Name of its operator.
    pub kind: &'static str,
}

/// The dispatch of one step; `None` where its operator has no program.
fn dispatch(
    step: &Step<'_>,
    job: Job,
    plan: &Plan<'_>,
    packed: &mut Vec<[u32; 4]>,
) -> Option<Dispatch> {
    let operand = |index: usize| match step.inputs.get(index) {
        Some(&OperandAt::Arena(at)) => Some(at),
        _ => None,
    };
    let input = operand(0)?;
    let conv = || ConvConstants::of(&plan.step_constants(step));
    Some(match &step.op {
        Op::Conv2d(params) => conv2d::dispatch(job, params, input, &conv(), packed),
        Op::Depthwise(params) => depthwise::dispatch(job, params, input, &conv(), packed),
        Op::Add(params) if params.broadcast.is_flat() && !params.subtract => {
            add::dispatch(job, params, input, operand(1)?)
        }
        Op::AveragePool(params) => average_pool::dispatch(job, params, input),
        Op::MaxPool(params) => max_pool::dispatch(job, params, input),
        Op::Softmax(params) => softmax::dispatch(job, params, input),
        Op::Rescale(params) => rescale::dispatch(job, params, input),
        Op::Pad(params) => pad::dispatch(job, params, input),
        Op::Clamp(params) => clamp::dispatch(job, params, input),
        _ => return None,
    })
}

/// A byte offset as programs take it. No number of a validated plan exceeds 32 bits.
const fn byte(at: ArenaAt) -> u32 {
    at.0 as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgpu::naga::front::wgsl;
    use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};

    #[test]
    fn every_program_is_valid_without_any_feature() {
        for program in PROGRAMS {
            let source = program.source();
            let module = wgsl::parse_str(&source).unwrap_or_else(|error| {
                panic!("{}: {}", program.name, error.emit_to_string(&source))
            });
            let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
            let valid = validator.validate(&module);
            valid.unwrap_or_else(|error| {
                panic!("{}: {}", program.name, error.emit_to_string(&source))
            });
        }
    }
}
