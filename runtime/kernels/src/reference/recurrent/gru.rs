//! Gated recurrent unit.

use super::{Cell, Kind, Recurrent, Wide, narrow, operator, to_int8, to_int16};
use crate::fixed::{ONE_Q15, sigmoid, tanh};
use crate::operator::{Args, Constants, Extents, Fault, Operator};
use crate::rules;
use crate::set::KernelSet;
use core::mem::swap;
use serde::{Deserialize, Serialize};

/// Parameters of a GRU. Hidden vectors have scale 2^−7 and zero point 0.
///
/// Constants are as those of an [`Lstm`](super::lstm::Lstm), with the gates update, reset and new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gru {
    /// What all cells have.
    pub shape: Recurrent,
    /// Whether the reset gate scales the hidden vector's sums, and not the hidden vector.
    pub reset_after: bool,
}

/// Gates, in the order of their rows.
const GATES: usize = 3;
const UPDATE: usize = 0;
const RESET: usize = 1;
const NEW: usize = 2;

impl Operator for Gru {
    operator!("gru", GATES, Wide::Hidden);

    fn check(&self) -> Result<(), Fault> {
        self.shape.check(GATES)
    }

    fn run(&self, set: &KernelSet, args: Args<'_>) {
        let kind = Kind {
            gates: GATES,
            wide: Wide::Hidden,
            zero: 0,
            step: |cell: &mut Cell<'_>| self.step(cell),
        };
        kind.run(&self.shape, set, args);
    }
}

impl Gru {
    fn step(&self, cell: &mut Cell<'_>) {
        if self.reset_after {
            cell.multiply_hidden(UPDATE..GATES);
            for index in 0..cell.size {
                let reset = i64::from(sigmoid(cell.gate(RESET, index)));
                let sum = &mut cell.h[NEW * cell.size + index];
                // No product with at most 1 leaves int32.
                *sum = ((i64::from(*sum) * reset + (1 << 14)) >> 15) as i32;
            }
        } else {
            cell.multiply_hidden(UPDATE..NEW);
            for index in 0..cell.size {
                let reset = sigmoid(cell.gate(RESET, index));
                cell.other[index] = to_int8(reset * i32::from(cell.wide[index]), 23);
            }
            swap(&mut cell.hidden, &mut cell.other);
            cell.multiply_hidden(NEW..GATES);
            swap(&mut cell.hidden, &mut cell.other);
        }
        for index in 0..cell.size {
            let update = sigmoid(cell.gate(UPDATE, index));
            let new = tanh(cell.gate(NEW, index));
            let kept = update * i32::from(cell.wide[index]);
            cell.wide[index] = to_int16(kept + (ONE_Q15 - update) * new, 15);
        }
        narrow(cell.wide, cell.hidden);
    }
}
