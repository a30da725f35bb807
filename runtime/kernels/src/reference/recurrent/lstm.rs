//! Long short-term memory.

use super::{Cell, Kind, Recurrent, Wide, operator, to_int8, to_int16};
use crate::fixed::{sigmoid, tanh};
use crate::operator::{Args, Constants, Extents, Fault, Operator, require};
use crate::rules;
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of an LSTM. Hidden vectors have scale 2^−7 and zero point 0.
///
/// Constants are those of a convolution (weights, biases, mantissas, shifts) for the input, and
/// then the same for the hidden vector: `[direction][gate][hidden]` rows, with the gates input,
/// output, forget and cell. Each row's factor is the scale of its products times 2^16; the
/// input's zero point is folded into its biases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lstm {
    /// What all cells have.
    pub shape: Recurrent,
    /// Fractional bits of the cell, in int16: at most 15.
    pub cell_bits: u32,
}

/// Gates, in the order of their rows.
const GATES: usize = 4;
const INPUT: usize = 0;
const OUTPUT: usize = 1;
const FORGET: usize = 2;
const CELL: usize = 3;

impl Operator for Lstm {
    operator!("lstm", GATES, Wide::Cell);

    fn check(&self) -> Result<(), Fault> {
        self.shape.check(GATES)?;
        require(self.cell_bits <= 15, Fault::Number)
    }

    fn run(&self, set: &KernelSet, args: Args<'_>) {
        let kind = Kind {
            gates: GATES,
            wide: Wide::Cell,
            zero: 0,
            step: |cell: &mut Cell<'_>| self.step(cell),
        };
        kind.run(&self.shape, set, args);
    }
}

impl Lstm {
    fn step(&self, cell: &mut Cell<'_>) {
        cell.multiply_hidden(0..GATES);
        for index in 0..cell.size {
            let [input, output, forget] =
                [INPUT, OUTPUT, FORGET].map(|gate| sigmoid(cell.gate(gate, index)));
            let new = self.admitted(input * tanh(cell.gate(CELL, index)));
            let kept = forget * i32::from(cell.wide[index]);
            cell.wide[index] = to_int16(kept + new, 15);
            let squashed = tanh(i32::from(cell.wide[index]) << (16 - self.cell_bits));
            cell.hidden[index] = to_int8(output * squashed, 23);
        }
    }

    /// A product of two Q0.15 with 15 fractional bits more than the cell has.
    const fn admitted(&self, product: i32) -> i32 {
        match 15 - self.cell_bits {
            0 => product,
            shift => super::round(product, shift),
        }
    }
}
