//! Change of scale and zero point of an activation (TFLite's int8 `QUANTIZE`).

use crate::num::{Multiplier, Output};
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
