//! LSTM of floats; gates in the order input, output, forget, cell.

use super::{Recurrence, Step};
use crate::float::source::{Reads, Source};
use crate::float::unary::Function;
use crate::operator::{Args, Extents, Fault, Operator};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

const GATES: usize = 4;

/// Parameters of an LSTM. It reads the input, both weights, the bias, the initial hidden and cell
/// states, and the peepholes `[direction][input, output, forget][hidden]`:
///
/// ```text
/// i, f = f(x·W + h·R + P ⊙ c + b)         c' = f ⊙ c + i ⊙ g(x·W + h·R + b)
/// o    = f(x·W + h·R + P ⊙ c' + b)        h' = o ⊙ h(c')
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LstmF32 {
    /// What all cells have.
    pub recurrence: Recurrence,
    /// The functions f, g, h of each direction.
    pub functions: [[Function; 3]; 2],
    /// Where the peepholes are, if there are any.
    pub peepholes: Source,
    /// The forget gate is `1 − i`.
    pub coupled: bool,
}

impl LstmF32 {
    fn reads(&self) -> Reads {
        self.recurrence.reads(GATES, true, self.peepholes)
    }

    fn step(&self, mut step: Step<'_>) {
        let size = step.hidden.len();
        step.project(GATES * size);
        let [f, g, h] = &self.functions[step.direction];
        let (gates, spare) = step.work.split_at_mut(GATES * size);
        let mut gates = gates.chunks_exact_mut(size);
        let [Some(input), Some(output), Some(forget), Some(cell)] =
            core::array::from_fn(|_| gates.next())
        else {
            return;
        };
        let mut peepholes = step.weights.peepholes.chunks_exact(size);
        let mut peepholes: [&[f32]; 3] = core::array::from_fn(|_| peepholes.next().unwrap_or(&[]));
        let [to_input, to_output, to_forget] = &mut peepholes;
        add_products(input, to_input, step.cell);
        add_products(forget, to_forget, step.cell);
        for (gate, function) in [(&mut *input, f), (&mut *forget, f), (&mut *cell, g)] {
            self.recurrence.limit(gate);
            function.apply(gate);
        }
        if self.coupled {
            forget
                .iter_mut()
                .zip(&*input)
                .for_each(|(f, i)| *f = 1.0 - i);
        }
        for (index, state) in step.cell.iter_mut().enumerate() {
            *state = forget[index] * *state + input[index] * cell[index];
        }
        add_products(output, to_output, step.cell);
        self.recurrence.limit(output);
        f.apply(output);
        let shown = &mut spare[..size];
        shown.copy_from_slice(step.cell);
        self.recurrence.limit(shown);
        h.apply(shown);
        for (hidden, (o, c)) in step.hidden.iter_mut().zip(output.iter().zip(&*shown)) {
            *hidden = o * c;
        }
    }
}

fn add_products(sums: &mut [f32], a: &[f32], b: &[f32]) {
    for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
        *sum += a * b;
    }
}

impl Operator for LstmF32 {
    fn kind(&self) -> &'static str {
        "lstm_f32"
    }

    fn check(&self) -> Result<(), Fault> {
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
        self.recurrence.state(2)
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
    use super::super::testing::{Case, RECURRENCE, check, check_stream, plain};
    use super::*;
    use crate::float::recurrent::Direction;
    use crate::float::testing::hostile;
    use crate::float::unary::UnaryKind;

    const LSTM: LstmF32 = LstmF32 {
        recurrence: RECURRENCE,
        functions: [[
            plain(UnaryKind::Sigmoid),
            plain(UnaryKind::Tanh),
            plain(UnaryKind::Tanh),
        ]; 2],
        peepholes: Source::Constant,
        coupled: false,
    };

    /// One step as it is defined, in double precision.
    fn exact(params: &LstmF32, case: &Case, hidden: &mut [f64], cell: &mut [f64]) {
        let size = hidden.len();
        let limit = f64::from(params.recurrence.clip.unwrap_or(f32::MAX));
        let sigmoid = |x: f64| 1.0 / (1.0 + libm::exp(-x.clamp(-limit, limit)));
        let tanh = |x: f64| libm::tanh(x.clamp(-limit, limit));
        let old = hidden.to_vec();
        for unit in 0..size {
            let [i, o, f, c] = [0, 1, 2, 3].map(|gate| {
                case.input(gate, unit) + case.hidden(gate, unit, &old) + case.biases(gate, unit)
            });
            let peephole = |gate: usize| case.peephole(gate * size + unit);
            let i = sigmoid(i + peephole(0) * cell[unit]);
            let f = sigmoid(f + peephole(2) * cell[unit]);
            let f = if params.coupled { 1.0 - i } else { f };
            cell[unit] = f * cell[unit] + i * tanh(c);
            hidden[unit] = sigmoid(o + peephole(1) * cell[unit]) * tanh(cell[unit]);
        }
    }

    #[test]
    fn any_direction_is_within_1e_5() {
        for direction in [Direction::Forward, Direction::Reverse, Direction::Both] {
            for (clip, coupled) in [(None, false), (Some(0.5), true)] {
                let mut params = LSTM;
                (params.recurrence.direction, params.recurrence.clip) = (direction, clip);
                params.coupled = coupled;
                for peepholes in [Source::None, Source::Constant] {
                    params.peepholes = peepholes;
                    check(&params, &params.recurrence, 4, |case, hidden, cell| {
                        exact(&params, case, hidden, cell);
                    });
                }
            }
        }
    }

    #[test]
    fn a_stream_is_one_long_sequence() {
        let mut params = LSTM;
        params.recurrence.initial = Source::None;
        let whole = params;
        params.recurrence.keeps_state = true;
        params.recurrence.steps = 1;
        check_stream(&whole, &params, whole.recurrence.steps);
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        let mut stream = LSTM;
        stream.recurrence.keeps_state = true;
        stream.recurrence.initial = Source::None;
        let mut both = LSTM;
        both.recurrence.direction = Direction::Both;
        hostile(&[LSTM, stream, both]);
    }
}
