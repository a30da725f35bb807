//! Simple recurrent cell: one activation of the sum of both products.

use super::{Cell, Kind, Recurrent, Wide, operator, to_int8};
use crate::fixed::tanh;
use crate::num::{Multiplier, Output};
use crate::operator::{Args, Constants, Extents, Fault, Operator};
use crate::rules;
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a simple cell.
///
/// Constants are as those of an [`Lstm`](super::lstm::Lstm), with one gate; the hidden vector's
/// zero point is folded into its biases as the input's is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rnn {
    /// What all cells have.
    pub shape: Recurrent,
    /// What becomes of the sums.
    pub activation: Activation,
}

/// What becomes of the sums of a simple cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activation {
    /// Their hyperbolic tangent. Hidden vectors have scale 2^−7 and zero point 0.
    Tanh,
    /// The sums where they are positive, else 0.
    Relu {
        /// 2^−16 over the scale of hidden vectors.
        factor: Multiplier,
        /// How scaled sums become hidden vectors.
        store: Output,
    },
}

const GATES: usize = 1;

impl Activation {
    const fn zero(self) -> i8 {
        match self {
            Self::Tanh => 0,
            Self::Relu { store, .. } => store.zero,
        }
    }

    fn apply(self, sum: i32) -> i8 {
        match self {
            Self::Tanh => to_int8(tanh(sum), 8),
            Self::Relu { factor, store } => store.store(factor.apply(sum.max(0))),
        }
    }
}

impl Operator for Rnn {
    operator!("rnn", GATES, Wide::None);

    fn check(&self) -> Result<(), Fault> {
        self.shape.check(GATES)?;
        match self.activation {
            Activation::Tanh => Ok(()),
            Activation::Relu { factor, store } => {
                rules::factor(factor)?;
                rules::store(&store)
            }
        }
    }

    fn state_fill(&self) -> i8 {
        self.activation.zero()
    }

    fn run(&self, set: &KernelSet, args: Args<'_>) {
        let kind = Kind {
            gates: GATES,
            wide: Wide::None,
            zero: self.activation.zero(),
            step: |cell: &mut Cell<'_>| self.step(cell),
        };
        kind.run(&self.shape, set, args);
    }
}

impl Rnn {
    fn step(&self, cell: &mut Cell<'_>) {
        cell.multiply_hidden(0..GATES);
        for index in 0..cell.size {
            cell.hidden[index] = self.activation.apply(cell.gate(0, index));
        }
    }
}
