//! Recurrent cells of floats: what LSTM, GRU and the plain cell share.
//!
//! Layouts are ONNX's: input `[step][batch][input]`; weights `[direction][gate][hidden][input]`,
//! recurrent weights `[direction][gate][hidden][hidden]`, bias `[direction][2][gate][hidden]` (for
//! the input, then for the hidden state); the sequence `[step][direction][batch][hidden]`; states
//! `[direction][batch][hidden]`.

use super::source::{Reads, Source};
use super::tile::add_dots;
use super::unary::clip;
use crate::operator::{Args, Element, Extent, Extents, Fault, checked_len, require};
use serde::{Deserialize, Serialize};

pub mod gru;
pub mod lstm;
pub mod rnn;
#[cfg(test)]
mod testing;

/// The order in which steps are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// The first step first.
    Forward,
    /// The last step first.
    Reverse,
    /// Both, each with weights of its own.
    Both,
}

/// What a recurrent cell leaves, in this order; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The hidden state after every step.
    pub sequence: bool,
    /// The last hidden state.
    pub hidden: bool,
    /// The last cell state; only an LSTM has one.
    pub cell: bool,
}

/// Parameters that all recurrent cells have.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recurrence {
    /// Steps of a run.
    pub steps: usize,
    /// Sequences side by side.
    pub batch: usize,
    /// Elements of a step's input.
    pub input: usize,
    /// Elements of the hidden state.
    pub hidden: usize,
    /// The order of steps.
    pub direction: Direction,
    /// Where both matrices of weights are.
    pub weights: Source,
    /// Where the bias is, if there is one.
    pub bias: Source,
    /// Where the initial state is; without, it is 0.
    pub initial: Source,
    /// The state goes from one run to the next, for streams; only forward, without initial state.
    pub keeps_state: bool,
    /// Limit of the magnitude of what a gate's function is applied to.
    pub clip: Option<f32>,
    /// What is wanted.
    pub outputs: Outputs,
}

/// One direction's weights.
#[derive(Clone, Copy, Debug)]
struct Weights<'a> {
    input: &'a [f32],
    hidden: &'a [f32],
    /// For the input, then for the hidden state; empty where there is none.
    bias: &'a [f32],
    /// Of an LSTM; empty where there are none.
    peepholes: &'a [f32],
}

/// One step of one sequence: reads `x`, replaces the states.
struct Step<'a> {
    /// 0 or 1.
    direction: usize,
    weights: Weights<'a>,
    x: &'a [f32],
    hidden: &'a mut [f32],
    cell: &'a mut [f32],
    /// Scratch: an element a gate, then two vectors more.
    work: &'a mut [f32],
}

/// Vectors of scratch besides those of the gates.
const SPARE: usize = 2;

impl Recurrence {
    const fn directions(&self) -> usize {
        match self.direction {
            Direction::Both => 2,
            _ => 1,
        }
    }

    /// Elements of a state.
    const fn state_len(&self) -> usize {
        self.directions() * self.batch * self.hidden
    }

    fn check(&self, gates: usize) -> Result<(), Fault> {
        let (directions, hidden) = (self.directions(), self.hidden);
        checked_len(&[self.steps, self.batch, self.input])?;
        checked_len(&[self.steps, directions, self.batch, hidden])?;
        // Bias and peepholes are at most twice a gate's vector each.
        checked_len(&[directions, gates, hidden, self.input])?;
        checked_len(&[directions, gates + SPARE, hidden, hidden])?;
        checked_len(&[directions, 2, gates + SPARE, hidden])?;
        self.weights.needed()?;
        let streams = self.direction == Direction::Forward && !self.initial.is_some();
        require(!self.keeps_state || streams, Fault::Shape)?;
        let Outputs {
            sequence,
            hidden,
            cell,
        } = self.outputs;
        require(sequence || hidden || cell, Fault::Shape)?;
        require(self.clip.is_none_or(|clip| clip >= 0.0), Fault::Number)
    }

    /// Input, both weights, bias, the initial states, peepholes.
    fn reads(&self, gates: usize, cell: bool, peepholes: Source) -> Reads {
        let (directions, hidden) = (self.directions(), self.hidden);
        let matrix = directions * gates * hidden;
        let floats = |source, len| (source, Extent::new(Element::F32, len));
        let cell = if cell { self.initial } else { Source::None };
        Reads::new(&[
            floats(Source::Operand, self.steps * self.batch * self.input),
            floats(self.weights, matrix * self.input),
            floats(self.weights, matrix * hidden),
            floats(self.bias, 2 * matrix),
            floats(self.initial, self.state_len()),
            floats(cell, self.state_len()),
            floats(peepholes, directions * 3 * hidden),
        ])
    }

    fn outputs(&self) -> Extents {
        let sequence = self.steps * self.state_len();
        let Outputs {
            sequence: all,
            hidden,
            cell,
        } = self.outputs;
        let lens = [
            (all, sequence),
            (hidden, self.state_len()),
            (cell, self.state_len()),
        ];
        let wanted = lens.into_iter().filter(|(wanted, _)| *wanted);
        wanted
            .map(|(_, len)| Extent::new(Element::F32, len))
            .collect()
    }

    /// The hidden state, and the cell's where there is one.
    fn state(&self, states: usize) -> Extents {
        let kept = if self.keeps_state { states } else { 0 };
        (0..kept)
            .map(|_| Extent::new(Element::F32, self.state_len()))
            .collect()
    }

    fn scratch_bytes(&self, gates: usize) -> usize {
        let floats = 2 * self.batch * self.hidden + (gates + SPARE) * self.hidden;
        floats * size_of::<f32>()
    }

    fn macs(&self, gates: usize) -> usize {
        let products = gates * self.hidden * (self.input + self.hidden);
        let sequences = self.steps * self.batch * self.directions();
        sequences.saturating_mul(products)
    }

    /// Runs `step` over all steps, sequences and directions.
    fn run(&self, reads: &Reads, gates: usize, args: Args<'_>, step: impl Fn(Step<'_>)) {
        let mut args = args;
        let (batch, hidden) = (self.batch, self.hidden);
        let x: &[f32] = reads.get(&args, 0);
        let scratch: &mut [f32] = bytemuck::cast_slice_mut(core::mem::take(&mut args.scratch));
        let (states, work) = scratch.split_at_mut(2 * batch * hidden);
        let work = &mut work[..(gates + SPARE) * hidden];
        for direction in 0..self.directions() {
            let (hiddens, cells) = states.split_at_mut(batch * hidden);
            self.begin([&mut *hiddens, &mut *cells], reads, &args, direction);
            let weights = self.weights(reads, &args, gates, direction);
            let backwards = self.direction == Direction::Reverse || direction == 1;
            for at in 0..self.steps {
                let at = if backwards { self.steps - 1 - at } else { at };
                for row in 0..batch {
                    step(Step {
                        direction,
                        weights,
                        x: &x[(at * batch + row) * self.input..][..self.input],
                        hidden: &mut hiddens[row * hidden..][..hidden],
                        cell: &mut cells[row * hidden..][..hidden],
                        work: &mut *work,
                    });
                }
                if self.outputs.sequence {
                    let first = (at * self.directions() + direction) * batch * hidden;
                    args.output::<f32>(0)[first..][..batch * hidden].copy_from_slice(hiddens);
                }
            }
            self.end([hiddens, cells], &mut args, direction);
        }
    }

    fn weights<'a>(
        &self,
        reads: &Reads,
        args: &Args<'a>,
        gates: usize,
        direction: usize,
    ) -> Weights<'a> {
        let matrix = gates * self.hidden;
        let part = |index: usize, len: usize| -> &'a [f32] {
            let all: &[f32] = reads.get(args, index);
            all.get(direction * len..(direction + 1) * len)
                .unwrap_or(&[])
        };
        Weights {
            input: part(1, matrix * self.input),
            hidden: part(2, matrix * self.hidden),
            bias: part(3, 2 * matrix),
            peepholes: part(6, 3 * self.hidden),
        }
    }

    /// Sets the states of one direction.
    fn begin(&self, states: [&mut [f32]; 2], reads: &Reads, args: &Args<'_>, direction: usize) {
        for (index, state) in states.into_iter().enumerate() {
            let kept = args.state.get(index).filter(|_| self.keeps_state);
            let initial: &[f32] = match kept {
                Some(kept) => bytemuck::cast_slice(kept),
                None => reads.get(args, 4 + index),
            };
            match initial.get(direction * state.len()..(direction + 1) * state.len()) {
                Some(initial) => state.copy_from_slice(initial),
                None => state.fill(0.0),
            }
        }
    }

    /// Keeps the states of one direction, and gives them out.
    fn end(&self, states: [&mut [f32]; 2], args: &mut Args<'_>, direction: usize) {
        let mut output = usize::from(self.outputs.sequence);
        let wanted = [self.outputs.hidden, self.outputs.cell];
        for (index, (state, wanted)) in states.into_iter().zip(wanted).enumerate() {
            let part = direction * state.len()..(direction + 1) * state.len();
            if wanted {
                args.output::<f32>(output)[part.clone()].copy_from_slice(state);
                output += 1;
            }
            if let Some(kept) = args.state.get_mut(index).filter(|_| self.keeps_state) {
                bytemuck::cast_slice_mut::<_, f32>(kept)[part].copy_from_slice(state);
            }
        }
    }

    /// Limits what a gate's function is applied to.
    fn limit(&self, values: &mut [f32]) {
        if let Some(limit) = self.clip {
            values.iter_mut().for_each(|x| *x = clip(*x, -limit, limit));
        }
    }
}

impl Step<'_> {
    /// Writes, for the first `count` elements of all gates, the bias and the products with input
    /// and hidden state to the scratch.
    fn project(&mut self, count: usize) {
        let Weights {
            input,
            hidden,
            bias,
            ..
        } = self.weights;
        let gates = &mut self.work[..count];
        gates.fill(0.0);
        let (for_input, for_hidden) = bias.split_at(bias.len() / 2);
        for bias in [for_input, for_hidden] {
            gates
                .iter_mut()
                .zip(bias)
                .for_each(|(sum, bias)| *sum += bias);
        }
        add_dots(self.x, &input[..count * self.x.len()], gates);
        add_dots(self.hidden, &hidden[..count * self.hidden.len()], gates);
    }
}
