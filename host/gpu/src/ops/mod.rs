//! From a plan to dispatches: one file an operator, which names its programs, the parameters that
//! they take and how its constants are packed. An operator is registered in [`PROGRAMS`] and
//! [`dispatch`].

mod add;
mod arg;
mod average_pool;
mod chain;
mod clamp;
mod context;
mod conv2d;
mod conv_transpose;
mod data;
mod depthwise;
mod float;
mod lookup;
mod mat_mul;
mod max_pool;
mod pad;
mod pair;
mod params;
mod prelu;
mod reduce;
mod rescale;
mod resize_linear;
mod softmax;

use crate::program::Program;
use bytemuck::NoUninit;
use chain::{Span, Stage};
use context::{At, Packed};
use microtome_kernels::reference::conv2d::ConvConstants;
use microtome_plan::{ArenaAt, Op, Plan, Port, Step};
pub(crate) use params::Job;

/// Every program there is.
#[cfg(test)]
fn programs() -> Vec<&'static Program> {
    let moves = [
        &data::concat::PROGRAMS,
        &data::copy::PROGRAMS,
        &data::gather::PROGRAMS,
        &data::pad_by::PROGRAMS,
        &data::select::PROGRAMS,
    ];
    let others: &'static [&Program] = &[
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
        &arg::PROGRAM,
        &conv_transpose::PROGRAM,
        &lookup::PROGRAM,
        &mat_mul::PROGRAM,
        &pair::add::PROGRAM,
        &pair::compare::PROGRAM,
        &pair::div::PROGRAM,
        &pair::extremum::PROGRAM,
        &pair::mul::PROGRAM,
        &prelu::PROGRAM,
        &reduce::PROGRAM,
        &resize_linear::PROGRAM,
        &float::cast::TO_F32,
        &float::cast::TO_I32,
        &float::cast::TO_TRUTH,
        &float::channel_norm::PROGRAM,
        &float::compare::PROGRAM,
        &float::conv2d::PROGRAM,
        &float::conv2d::PROGRAM_TILE,
        &float::conv2d::PROGRAM_TILE_QUADS,
        &float::conv2d::PROGRAM_TILE_WIDE,
        &float::conv_transpose::PROGRAM,
        &float::conv_transpose::PROGRAM_QUADS,
        &float::depthwise::PROGRAM,
        &float::elementwise::PROGRAM,
        &float::matmul::PROGRAM,
        &float::matmul::PROGRAM_COLUMNS,
        &float::matmul::PROGRAM_ROWS,
        &float::norm::PROGRAM,
        &float::pool::PROGRAM,
        &float::quantize::DEQUANTIZE,
        &float::quantize::QUANTIZE,
        &float::recurrent::GRU,
        &float::recurrent::LSTM,
        &float::recurrent::RNN,
        &float::reduce::PROGRAM,
        &float::resample::PROGRAM,
        &float::softmax::PROGRAM,
    ];
    moves
        .into_iter()
        .flatten()
        .chain(others.iter().copied())
        .chain(crate::rise::PROGRAMS)
        .collect()
}

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
    /// What all samples read as operands; it lies before the arenas.
    pub shared: Vec<u8>,
    /// Words of the arena of one sample.
    pub sample_words: usize,
}

/// One step: a program and what it is told.
#[derive(Debug)]
pub(crate) struct Dispatch {
    /// Name of the plan's step, the last of a chain.
    pub name: String,
    pub program: &'static Program,
    /// Function and mode of each stage of its chain.
    pub overrides: Vec<[u32; 2]>,
    /// The bytes of the program's `Params`.
    pub params: Vec<u8>,
    /// Invocations that a sample takes.
    pub invocations: usize,
}

impl Dispatch {
    /// Tells the program how many words all samples share, once that is known.
    fn set_shared_words(&mut self, words: u32) {
        let at = std::mem::offset_of!(Job, shared_words);
        self.params[at..at + WORD_BYTES].copy_from_slice(&words.to_ne_bytes());
    }

    /// A dispatch of one invocation for each word of the output's int8.
    fn of_quads<P: NoUninit>(program: &'static Program, params: &P, job: &Job) -> Self {
        let words = (job.output_len as usize).div_ceil(WORD_BYTES);
        Self::of_invocations(program, params, words)
    }

    /// A dispatch of one invocation for each element of the output.
    fn of_elements<P: NoUninit>(program: &'static Program, params: &P, job: &Job) -> Self {
        Self::of_invocations(program, params, job.output_len as usize)
    }

    fn of_invocations<P: NoUninit>(
        program: &'static Program,
        params: &P,
        invocations: usize,
    ) -> Self {
        const { assert!(size_of::<P>() <= PARAMS_STRIDE) };
        Self {
            name: String::new(),
            program,
            overrides: Vec::new(),
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
    let steps: Vec<Step<'_>> = plan.steps().collect();
    let outputs: Vec<Span> = plan.manifest().outputs.iter().map(span).collect();
    let mut packed = Packed::default();
    let mut dispatches = Vec::with_capacity(steps.len());
    let mut first = 0;
    while let Some(step) = steps.get(first) {
        let mut stages = Vec::new();
        let mut last = first;
        if chain::has_chain(&step.op) {
            // One stage is left for a function of the step's own.
            while stages.len() + 1 < chain::STAGES_MAX
                && let Some(stage) = next_stage(plan, &steps, first, last, &outputs, &mut packed)
            {
                stages.push(stage);
                last += 1;
            }
        }
        let mut at = At {
            job: job(plan, step, &steps[last]),
            step,
            plan,
            packed: &mut packed,
            chain: &stages,
            stages: Vec::new(),
        };
        let dispatch = dispatch(&mut at).ok_or_else(|| Unsupported {
            index: first,
            kind: step.op.operator().kind(),
        })?;
        let overrides = at.stages.iter().map(|stage| [stage.function, stage.mode]);
        dispatches.push(Dispatch {
            name: steps[last].name.to_owned(),
            overrides: overrides.collect(),
            ..dispatch
        });
        fits(size_of_val(packed.vectors.as_slice()).max(packed.shared.len()))?;
        first = last + 1;
    }
    let shared_words = packed.shared.len() / WORD_BYTES;
    for dispatch in &mut dispatches {
        dispatch.set_shared_words(shared_words as u32);
    }
    Ok(Lowered {
        dispatches,
        constants: packed.vectors,
        shared: packed.shared,
        sample_words: sample_words(plan),
    })
}

/// What step `last + 1` does to the result of the steps from `first` to `last`, if it can be done
/// before that is stored.
fn next_stage(
    plan: &Plan<'_>,
    steps: &[Step<'_>],
    first: usize,
    last: usize,
    outputs: &[Span],
    packed: &mut Packed,
) -> Option<Stage> {
    let next = steps.get(last + 1)?;
    if !chain::may_fuse(steps, first, last + 1, outputs) {
        return None;
    }
    let value = *steps[last].outputs.first()?;
    let mut at = At {
        job: job(plan, next, next),
        step: next,
        plan,
        packed,
        chain: &[],
        stages: Vec::new(),
    };
    chain::follows(&mut at, value)
}

/// The job of a dispatch from `first` to `last`.
fn job(plan: &Plan<'_>, first: &Step<'_>, last: &Step<'_>) -> Job {
    let extents = first.op.operator().outputs();
    Job {
        sample_words: sample_words(plan) as u32,
        shared_words: 0,
        output_at: last.output().start as u32,
        output_len: extents.first().map_or(0, |extent| extent.len) as u32,
        chain_at: 0,
    }
}

/// Words of a sample's arena, so many that every sample's begins at four words.
fn sample_words(plan: &Plan<'_>) -> usize {
    let words = plan.manifest().arena_bytes.div_ceil(WORD_BYTES);
    words.next_multiple_of(4)
}

fn span(port: &Port<'_>) -> Span {
    port.at.span(port.len_bytes())
}

/// Whether a step of `plan` has a program; it takes no GPU to tell.
pub fn has_program(plan: &Plan<'_>, step: &Step<'_>) -> bool {
    let mut at = At {
        job: job(plan, step, step),
        step,
        plan,
        packed: &mut Packed::default(),
        chain: &[],
        stages: Vec::new(),
    };
    dispatch(&mut at).is_some()
}

/// A step whose operator, or a form of it, has no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsupported {
    /// Index of the step.
    pub index: usize,
    /// Name of its operator.
    pub kind: &'static str,
}

/// The dispatch of one step; `None` where its operator, or this form of it, has no program.
fn dispatch(at: &mut At<'_>) -> Option<Dispatch> {
    let step = at.step;
    match &step.op {
        Op::LstmF32(op) => return float::recurrent::lstm(at, op),
        Op::GruF32(op) => return float::recurrent::gru(at, op),
        Op::RnnF32(op) => return float::recurrent::rnn(at, op),
        // No other program has a second result.
        _ if step.outputs.len() != 1 => return None,
        _ => {}
    }
    match &step.op {
        Op::Copy(op) => data::copy::dispatch(at, op),
        Op::Concat(op) => data::concat::dispatch(at, op),
        Op::Gather(op) => data::gather::dispatch(at, op),
        Op::PadBy(op) => data::pad_by::dispatch(at, op),
        Op::Select(op) => data::select::dispatch(at, op),
        Op::Quantize(op) => float::quantize::quantize(at, op),
        Op::Dequantize(op) => float::quantize::dequantize(at, op),
        Op::Cast(op) => float::cast::dispatch(at, op),
        Op::Unary(op) => float::elementwise::unary(at, op),
        Op::Binary(op) => float::elementwise::binary(at, op),
        Op::Predicate(op) => float::compare::predicate(at, op),
        Op::CompareF32(op) => float::compare::compare(at, op),
        Op::Logic(op) => float::compare::logic(at, op),
        Op::ConvF32(op) => float::conv2d::dispatch(at, op),
        Op::DepthwiseF32(op) => float::depthwise::dispatch(at, op),
        Op::ConvTransposeF32(op) => float::conv_transpose::dispatch(at, op),
        Op::MatMulF32(op) => float::matmul::dispatch(at, op),
        Op::PoolF32(op) => float::pool::dispatch(at, op),
        Op::SoftmaxF32(op) => float::softmax::dispatch(at, op),
        Op::ReduceF32(op) => float::reduce::dispatch(at, op),
        Op::ArgF32(op) => arg::of_floats(at, op),
        Op::NormF32(op) => float::norm::dispatch(at, op),
        Op::ChannelNorm(op) => float::channel_norm::dispatch(at, op),
        Op::ResampleF32(op) => float::resample::dispatch(at, op),
        _ => integer(at),
    }
}

/// The same for an operator on int8.
fn integer(at: &mut At<'_>) -> Option<Dispatch> {
    let (step, job) = (at.step, at.job);
    match &step.op {
        Op::Add(op) if !op.broadcast.is_flat() || op.subtract => {
            return pair::add::dispatch(at, op);
        }
        Op::Mul(op) => return pair::mul::dispatch(at, op),
        Op::Div(op) => return pair::div::dispatch(at, op),
        Op::Extremum(op) => return pair::extremum::dispatch(at, op),
        Op::Compare(op) => return pair::compare::dispatch(at, op),
        Op::Lookup(_) => return lookup::dispatch(at),
        Op::PRelu(op) => return prelu::dispatch(at, op),
        Op::MatMul(op) => return mat_mul::dispatch(at, op),
        Op::ConvTranspose(op) => return conv_transpose::dispatch(at, op),
        Op::Reduce(op) => return reduce::dispatch(at, op),
        Op::ArgMax(op) => return arg::of_int8(at, op),
        Op::ResizeLinear(op) => return resize_linear::dispatch(at, op),
        _ => {}
    }
    let input = at.arena(0)?;
    let constants = at.plan.step_constants(step);
    let conv = || ConvConstants::of(&constants);
    Some(match &step.op {
        Op::Conv2d(params) => conv2d::dispatch(job, params, input, &conv(), at.packed),
        Op::Depthwise(params) => depthwise::dispatch(job, params, input, &conv(), at.packed),
        Op::Add(params) => add::dispatch(job, params, input, at.arena(1)?),
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
        let refused: Vec<String> = programs().into_iter().filter_map(refusal).collect();
        assert!(refused.is_empty(), "{}", refused.join("\n"));
    }

    fn refusal(program: &Program) -> Option<String> {
        let source = program.source();
        let text = match wgsl::parse_str(&source) {
            Err(error) => error.emit_to_string(&source),
            Ok(module) => Validator::new(ValidationFlags::all(), Capabilities::empty())
                .validate(&module)
                .err()?
                .emit_to_string(&source),
        };
        Some(format!("{}: {text}", program.name))
    }
}
