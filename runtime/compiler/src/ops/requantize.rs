//! The same real numbers, held otherwise: at another scale, clamped, as int8 or as float.

use super::factor::multiplier;
use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::reference::{clamp::Clamp, rescale::Rescale};

/// Largest difference of two int8 values.
const SPAN: f64 = 255.0;

/// The same real numbers, clamped to the output's bounds, at the output's scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Requantize;

impl GraphOp for Requantize {
    /// A clamp where the quantization stays, else a rescale that clamps.
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let (input, output, store) = (edges.input(0), edges.output(), edges.store());
        let len = edges.len();
        if input == output {
            let clamp = Clamp {
                len,
                min: store.min,
                max: store.max,
            };
            return Ok(Kernel::new(clamp, edges));
        }
        let factor = f64::from(input.scale) / f64::from(output.scale);
        let rescale = Rescale {
            len,
            zero: input.zero,
            factor: multiplier(factor, SPAN)?,
            store,
        };
        Ok(Kernel::new(rescale, edges))
    }

    fn float(&self, _edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        Err(Refusal::Operator)
    }

    fn takes_bounds(&self) -> bool {
        true
    }

    fn takes_float_bounds(&self) -> bool {
        true
    }
}
