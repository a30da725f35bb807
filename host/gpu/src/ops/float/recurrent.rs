//! LSTM, GRU and the plain cell: whole sequences in one dispatch.

use crate::ops::Dispatch;
use crate::ops::chain::{self, Stage};
use crate::ops::context::At;
use crate::ops::params::{Job, Operand};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::float::recurrent::gru::GruF32;
use microtome_kernels::float::recurrent::lstm::LstmF32;
use microtome_kernels::float::recurrent::rnn::RnnF32;
use microtome_kernels::float::recurrent::{Direction, Recurrence};
use microtome_kernels::float::source::Source;
use microtome_kernels::float::unary::Function;

macro_rules! program {
    ($name:literal, $part:literal) => {
        Program::with_chain(
            $name,
            &[
                include_str!("../../shaders/float/recurrent.wgsl"),
                include_str!($part),
            ],
        )
    };
}

pub(in crate::ops) const LSTM: Program = program!("lstm_f32", "../../shaders/float/lstm.wgsl");
pub(in crate::ops) const GRU: Program = program!("gru_f32", "../../shaders/float/gru.wgsl");
pub(in crate::ops) const RNN: Program = program!("rnn_f32", "../../shaders/float/rnn.wgsl");

/// Invocations that share a sequence.
const LANES: usize = 64;
/// Most hidden units, as `recurrent.wgsl` has them.
const UNITS: usize = 1024;

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    x: Operand,
    input_weights: Operand,
    hidden_weights: Operand,
    bias: Operand,
    initial: Operand,
    initial_cell: Operand,
    peepholes: Operand,
    has: [u32; 4],
    steps: u32,
    batch: u32,
    input: u32,
    hidden: u32,
    directions: u32,
    reverse: u32,
    limit: f32,
    variant: u32,
    outputs: [Operand; 3],
    wants: u32,
}

pub(in crate::ops) fn lstm(at: &mut At<'_>, lstm: &LstmF32) -> Option<Dispatch> {
    let functions = same(&lstm.recurrence, lstm.functions)?;
    let reads = (true, lstm.peepholes);
    of(at, &LSTM, &lstm.recurrence, reads, &functions, lstm.coupled)
}

pub(in crate::ops) fn gru(at: &mut At<'_>, gru: &GruF32) -> Option<Dispatch> {
    let functions = same(&gru.recurrence, gru.functions)?;
    let reads = (false, Source::None);
    let variant = gru.linear_before_reset;
    of(at, &GRU, &gru.recurrence, reads, &functions, variant)
}

pub(in crate::ops) fn rnn(at: &mut At<'_>, rnn: &RnnF32) -> Option<Dispatch> {
    let function = same(&rnn.recurrence, rnn.functions)?;
    let reads = (false, Source::None);
    of(at, &RNN, &rnn.recurrence, reads, &[function], false)
}

/// The functions of both directions, where they are the same.
fn same<T: PartialEq + Copy>(recurrence: &Recurrence, [first, second]: [T; 2]) -> Option<T> {
    let both = recurrence.direction == Direction::Both;
    (!both || first == second).then_some(first)
}

fn of(
    at: &mut At<'_>,
    program: &'static Program,
    recurrence: &Recurrence,
    (has_cell, peepholes): (bool, Source),
    functions: &[Function],
    variant: bool,
) -> Option<Dispatch> {
    // What a stream keeps is not in the arenas of a batch.
    if recurrence.keeps_state || recurrence.hidden > UNITS {
        return None;
    }
    let Recurrence {
        weights,
        bias,
        initial,
        ..
    } = *recurrence;
    let cell = if has_cell { initial } else { Source::None };
    let sources = [
        Source::Operand,
        weights,
        weights,
        bias,
        initial,
        cell,
        peepholes,
    ];
    let x = at.read(&sources, 0)?;
    let optional = [3, 4, 5, 6].map(|index| at.read(&sources, index));
    let [bias, initial, initial_cell, peepholes] = optional.map(|operand| operand.unwrap_or(x));
    let wanted = [
        recurrence.outputs.sequence,
        recurrence.outputs.hidden,
        recurrence.outputs.cell,
    ];
    let mut places = at.step.outputs.iter();
    let mut outputs = [x; 3];
    let mut wants = 0;
    for (index, output) in outputs
        .iter_mut()
        .enumerate()
        .filter(|&(index, _)| wanted[index])
    {
        *output = Operand::arena(*places.next()?);
        wants |= 1 << index;
    }
    let directions = match recurrence.direction {
        Direction::Both => 2,
        _ => 1,
    };
    let stages: Vec<Stage> = functions.iter().map(chain::unary).collect();
    let params = Params {
        job: at.with_functions(stages),
        x,
        input_weights: at.read(&sources, 1)?,
        hidden_weights: at.read(&sources, 2)?,
        bias,
        initial,
        initial_cell,
        peepholes,
        has: optional.map(|operand| u32::from(operand.is_some())),
        steps: recurrence.steps as u32,
        batch: recurrence.batch as u32,
        input: recurrence.input as u32,
        hidden: recurrence.hidden as u32,
        directions,
        reverse: u32::from(recurrence.direction == Direction::Reverse),
        limit: recurrence.clip.unwrap_or(f32::INFINITY),
        variant: u32::from(variant),
        outputs,
        wants,
    };
    // One row of workgroups: a sequence's number is that of its workgroup.
    let sequences = recurrence.batch * directions as usize;
    let fits = sequences <= crate::batch::GROUPS_MAX as usize;
    fits.then(|| Dispatch::of_invocations(program, &params, sequences * LANES))
}
