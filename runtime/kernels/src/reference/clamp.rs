//! Clamp of an activation that could not be fused into the operator before it.

use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one};
use crate::rules;
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a clamp. Input and output have one scale and one zero point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clamp {
    /// Elements.
    pub len: usize,
    /// Lower clamp, inclusive.
    pub min: i8,
    /// Upper clamp, inclusive.
    pub max: i8,
}

impl Operator for Clamp {
    fn kind(&self) -> &'static str {
        "clamp"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.len])?;
        rules::clamp(self.min, self.max)
    }

    fn inputs(&self) -> Extents {
        one(Element::I8, self.len)
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.len)
    }

    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        if args.in_place {
            (set.clamp_in_place)(self, args.output(0));
        } else {
            (set.clamp)(self, args.input(0), args.output(0));
        }
    }
}

/// Writes the clamped `input` to `output`.
pub fn clamp(params: &Clamp, input: &[i8], output: &mut [i8]) {
    for (out, &value) in output.iter_mut().zip(input) {
        *out = value.clamp(params.min, params.max);
    }
}

/// Clamps `values` where they are.
pub fn clamp_in_place(params: &Clamp, values: &mut [i8]) {
    for value in values {
        *value = (*value).clamp(params.min, params.max);
    }
}
