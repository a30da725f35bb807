//! Logarithm of softmax over the channels.

use super::softmax::Softmax;
use crate::fixed::ln;
use crate::num::{Multiplier, Output, Shape};
use crate::operator::{Args, Element, Extents, Fault, Operator, one};
use crate::rules;
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a logarithm of softmax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSoftmax {
    /// Rows, and how their exponentials are summed.
    pub softmax: Softmax,
    /// The input's scale times 2^16.
    pub argument: Multiplier,
    /// 2^−16 over the output's scale.
    pub factor: Multiplier,
    /// How logarithms become outputs.
    pub store: Output,
}

impl Operator for LogSoftmax {
    fn kind(&self) -> &'static str {
        "log_softmax"
    }

    fn check(&self) -> Result<(), Fault> {
        self.softmax.check()?;
        rules::factor(self.argument)?;
        rules::factor(self.factor)?;
        rules::store(&self.store)
    }

    fn inputs(&self) -> Extents {
        one(Element::I8, self.softmax.rows * self.softmax.depth)
    }

    fn outputs(&self) -> Extents {
        self.inputs()
    }

    fn in_place(&self) -> bool {
        true
    }

    fn output_shape(&self) -> Shape {
        self.softmax.output_shape()
    }

    fn run(&self, _set: &KernelSet, mut args: Args<'_>) {
        log_softmax(self, args.replace_input());
    }
}

/// Replaces each row of `values` by the logarithm of its softmax.
pub fn log_softmax(params: &LogSoftmax, values: &mut [i8]) {
    for row in values.chunks_exact_mut(params.softmax.depth) {
        let (max, sum) = params.softmax.sum(row);
        let logarithm = ln(sum.unsigned_abs());
        for value in row {
            let argument = params.argument.apply(i32::from(*value) - i32::from(max));
            let scaled = params.factor.apply(argument.wrapping_sub(logarithm));
            *value = params.store.store(scaled);
        }
    }
}
