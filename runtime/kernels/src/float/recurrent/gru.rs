//! GRU of floats; gates in the order update, reset, hidden.

use super::{Recurrence, Step};
use crate::float::source::{Reads, Source};
use crate::float::tile::add_dots;
use crate::float::unary::Function;
use crate::operator::{Args, Extents, Fault, Operator, require};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

const GATES: usize = 3;

/// Parameters of a GRU. It reads the input, both weights, the bias and the initial state:
///
/// ```text
/// z, r = f(x·W + h·R + b)        h' = (1 − z) ⊙ n + z ⊙ h
/// n = g(x·W + (r ⊙ h)·R + b)     or, linear before reset, g(x·W + r ⊙ (h·R + b_R) + b_W)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GruF32 {
    /// What all cells have.
    pub recurrence: Recurrence,
    /// The functions f, g of each direction.
    pub functions: [[Function; 2]; 2],
    /// The reset gate scales the product instead of the hidden state.
    pub linear_before_reset: bool,
}

impl GruF32 {
    fn reads(&self) -> Reads {
        self.recurrence.reads(GATES, false, Source::None)
    }

    fn step(&self, mut step: Step<'_>) {
        let size = step.hidden.len();
        step.project(2 * size);
        let [f, g] = &self.functions[step.direction];
        let weights = step.weights;
        let (gates, rest) = step.work.split_at_mut(2 * size);
        let (new, scaled) = rest.split_at_mut(size);
        let scaled = &mut scaled[..size];
        self.recurrence.limit(gates);
        f.apply(gates);
        let (update, reset) = gates.split_at(size);
        let (for_input, for_hidden) = weights.bias.split_at(weights.bias.len() / 2);
        set(new, for_input.get(2 * size..));
        add_dots(step.x, &weights.input[2 * size * step.x.len()..], new);
        let matrix = &weights.hidden[2 * size * size..];
        if self.linear_before_reset {
            set(scaled, for_hidden.get(2 * size..));
            add_dots(step.hidden, matrix, scaled);
            for (new, (r, sum)) in new.iter_mut().zip(reset.iter().zip(&*scaled)) {
                *new += r * sum;
            }
        } else {
            for (scaled, (r, h)) in scaled.iter_mut().zip(reset.iter().zip(&*step.hidden)) {
                *scaled = r * h;
            }
            let bias = for_hidden.get(2 * size..).unwrap_or(&[]);
            new.iter_mut()
                .zip(bias)
                .for_each(|(new, bias)| *new += bias);
            add_dots(scaled, matrix, new);
        }
        self.recurrence.limit(new);
        g.apply(new);
        for (hidden, (z, n)) in step.hidden.iter_mut().zip(update.iter().zip(&*new)) {
            *hidden = (1.0 - z) * n + z * *hidden;
        }
    }
}

/// Sets `values` to the bias, or to 0 without one.
fn set(values: &mut [f32], bias: Option<&[f32]>) {
    match bias {
        Some(bias) => values.copy_from_slice(bias),
        None => values.fill(0.0),
    }
}

impl Operator for GruF32 {
    fn kind(&self) -> &'static str {
        "gru_f32"
    }

    fn check(&self) -> Result<(), Fault> {
        require(!self.recurrence.outputs.cell, Fault::Shape)?;
        self.recurrence.check(GATES)
    }

    fn inputs(&self) -> Extents {
        self.reads().inputs()
    }

    fn outputs(&self) -> Extents {
        self.recurrence.outputs()
    }

    fn constants(&self) -> Extents {
        self.reads().constants()
    }

    fn state(&self) -> Extents {
        self.recurrence.state(1)
    }

    fn scratch_bytes(&self) -> usize {
        self.recurrence.scratch_bytes(GATES)
    }

    fn macs(&self) -> usize {
        self.recurrence.macs(GATES)
    }

    fn run(&self, _: &KernelSet, args: Args<'_>) {
        self.recurrence
            .run(&self.reads(), GATES, args, |step| self.step(step));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, RECURRENCE, check, check_stream, no_cell, plain};
    use super::*;
    use crate::float::recurrent::Direction;
    use crate::float::testing::hostile;
    use crate::float::unary::UnaryKind;

    const GRU: GruF32 = GruF32 {
        recurrence: no_cell(RECURRENCE),
        functions: [[plain(UnaryKind::Sigmoid), plain(UnaryKind::Tanh)]; 2],
        linear_before_reset: false,
    };

    /// One step as it is defined, in double precision.
    fn exact(params: &GruF32, case: &Case, hidden: &mut [f64]) {
        let sigmoid = |x: f64| 1.0 / (1.0 + libm::exp(-x));
        let old = hidden.to_vec();
        let gate = |gate: usize, unit: usize| {
            let sum = case.input(gate, unit) + case.hidden(gate, unit, &old);
            sigmoid(sum + case.biases(gate, unit))
        };
        let scaled: std::vec::Vec<_> = old
            .iter()
            .enumerate()
            .map(|(unit, h)| gate(1, unit) * h)
            .collect();
        for (unit, hidden) in hidden.iter_mut().enumerate() {
            let [for_input, for_hidden] = case.bias(2, unit);
            let product = match params.linear_before_reset {
                true => gate(1, unit) * (case.hidden(2, unit, &old) + for_hidden),
                false => case.hidden(2, unit, &scaled) + for_hidden,
            };
            let new = libm::tanh(case.input(2, unit) + product + for_input);
            let z = gate(0, unit);
            *hidden = (1.0 - z) * new + z * *hidden;
        }
    }

    extern crate std;

    #[test]
    fn any_direction_is_within_1e_5() {
        for direction in [Direction::Forward, Direction::Reverse, Direction::Both] {
            for linear_before_reset in [false, true] {
                let mut params = GruF32 {
                    linear_before_reset,
                    ..GRU
                };
                params.recurrence.direction = direction;
                for bias in [Source::None, Source::Constant] {
                    params.recurrence.bias = bias;
                    check(&params, &params.recurrence, 3, |case, hidden, _| {
                        exact(&params, case, hidden);
                    });
                }
            }
        }
    }

    #[test]
    fn a_stream_is_one_long_sequence() {
        let mut params = GRU;
        params.recurrence.initial = Source::None;
        let whole = params;
        params.recurrence.keeps_state = true;
        params.recurrence.steps = 1;
        check_stream(&whole, &params, whole.recurrence.steps);
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[
            GRU,
            GruF32 {
                linear_before_reset: true,
                ..GRU
            },
        ]);
    }
}
