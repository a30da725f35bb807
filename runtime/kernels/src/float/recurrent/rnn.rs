//! The plain recurrent cell of floats.

use super::{Recurrence, Step};
use crate::float::source::{Reads, Source};
use crate::float::unary::Function;
use crate::operator::{Args, Extents, Fault, Operator, require};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a plain cell, `h' = f(x·W + h·R + b)`. It reads the input, both weights, the bias
/// and the initial state.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RnnF32 {
    /// What all cells have.
    pub recurrence: Recurrence,
    /// The function f of each direction.
    pub functions: [Function; 2],
}

impl RnnF32 {
    fn reads(&self) -> Reads {
        self.recurrence.reads(1, false, Source::None)
    }

    fn step(&self, mut step: Step<'_>) {
        let size = step.hidden.len();
        step.project(size);
        let sums = &mut step.work[..size];
        self.recurrence.limit(sums);
        self.functions[step.direction].apply(sums);
        step.hidden.copy_from_slice(sums);
    }
}

impl Operator for RnnF32 {
    fn kind(&self) -> &'static str {
        "rnn_f32"
    }

    fn check(&self) -> Result<(), Fault> {
        require(!self.recurrence.outputs.cell, Fault::Shape)?;
        self.recurrence.check(1)
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
        self.recurrence.scratch_bytes(1)
    }

    fn macs(&self) -> usize {
        self.recurrence.macs(1)
    }

    fn run(&self, _: &KernelSet, args: Args<'_>) {
        self.recurrence
            .run(&self.reads(), 1, args, |step| self.step(step));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{RECURRENCE, check, check_stream, no_cell, plain};
    use super::*;
    use crate::float::recurrent::Direction;
    use crate::float::testing::hostile;
    use crate::float::unary::UnaryKind;

    const RNN: RnnF32 = RnnF32 {
        recurrence: no_cell(RECURRENCE),
        functions: [plain(UnaryKind::Tanh), plain(UnaryKind::Relu)],
    };

    #[test]
    fn any_direction_is_within_1e_5() {
        for direction in [Direction::Forward, Direction::Reverse, Direction::Both] {
            let mut params = RNN;
            params.recurrence.direction = direction;
            check(&params, &params.recurrence, 1, |case, hidden, _| {
                let old = hidden.to_vec();
                for (unit, hidden) in hidden.iter_mut().enumerate() {
                    let sum = case.input(0, unit) + case.hidden(0, unit, &old);
                    let sum = sum + case.biases(0, unit);
                    *hidden = if case.direction == 0 {
                        libm::tanh(sum)
                    } else {
                        sum.max(0.0)
                    };
                }
            });
        }
    }

    #[test]
    fn a_stream_is_one_long_sequence() {
        let mut params = RNN;
        params.recurrence.initial = Source::None;
        let whole = params;
        params.recurrence.keeps_state = true;
        params.recurrence.steps = 1;
        check_stream(&whole, &params, whole.recurrence.steps);
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[RNN]);
    }
}
