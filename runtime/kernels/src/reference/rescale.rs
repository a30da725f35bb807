//! Change of scale and zero point of an activation (TFLite's int8 `QUANTIZE`).

use crate::num::{Multiplier, Output};
use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one};
use crate::rules;
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a rescale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rescale {
    /// Elements.
    pub len: usize,
    /// Zero point of the input.
    pub zero: i8,
    /// The input's scale over the output's.
    pub factor: Multiplier,
    /// How scaled values become outputs.
    pub store: Output,
}

impl Rescale {
    /// One element.
    pub const fn element(&self, value: i8) -> i8 {
        self.store
            .store(self.factor.apply(value as i32 - self.zero as i32))
    }
}

impl Operator for Rescale {
    fn kind(&self) -> &'static str {
        "rescale"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.len])?;
        rules::factor(self.factor)?;
        rules::store(&self.store)
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
            (set.rescale_in_place)(self, args.output(0));
        } else {
            (set.rescale)(self, args.input(0), args.output(0));
        }
    }
}

/// Writes the rescaled `input` to `output`.
pub fn rescale(params: &Rescale, input: &[i8], output: &mut [i8]) {
    for (out, &value) in output.iter_mut().zip(input) {
        *out = params.element(value);
    }
}

/// Rescales `values` where they are.
pub fn rescale_in_place(params: &Rescale, values: &mut [i8]) {
    for value in values {
        *value = params.element(*value);
    }
}
