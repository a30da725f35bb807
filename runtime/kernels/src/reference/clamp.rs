//! Clamp of an activation that could not be fused into the operator before it.

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
