//! Softmax, its logarithm and hardmax over the innermost axis. Integer: the scaling of TFLite's
//! `PreprocessSoftmaxScaling`.

use super::factor::{multiplier, split};
use super::{Edges, GraphOp, Kernel, Pulsed};
use crate::error::Refusal;
use crate::graph::Quantization;
use crate::pulse::Stream;
use microtome_kernels::float::softmax::{SoftmaxF32, SoftmaxKind};
use microtome_kernels::reference::{log_softmax::LogSoftmax, softmax};

/// Integer bits of `x − max` in fixed point.
const INTEGER_BITS: i32 = 5;
/// Fixed point of logarithms: 1 in Q15.16.
const ONE: f64 = 65536.0;
/// Rows of the integer kernels are shorter than this.
const DEPTH_END: usize = 1 << 12;

/// Parameters of a softmax.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax {
    /// What is computed.
    pub kind: SoftmaxKind,
    /// Vectors that are normalised.
    pub rows: usize,
    /// Elements of each.
    pub depth: usize,
}

impl GraphOp for Softmax {
    fn is_of_reals(&self) -> bool {
        true
    }

    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let (mantissa, shift, diff_min) = scaling(edges.input(0)?.scale)?;
        let params = softmax::Softmax {
            rows: self.rows,
            depth: self.depth,
            mantissa,
            shift,
            diff_min,
        };
        match self.kind {
            SoftmaxKind::LogSoftmax => Ok(Kernel::new(logarithm(params, edges)?, edges)),
            _ => Ok(Kernel::new(params, edges)),
        }
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = SoftmaxF32 {
            kind: self.kind,
            outer: self.rows,
            len: self.depth,
            inner: 1,
        };
        Ok(Kernel::new(params, edges))
    }

    fn pulse(&self, _edges: &Edges<'_>, stream: &Stream) -> Pulsed {
        stream.rows(self.rows)
    }

    fn has_integer(&self, _edges: &Edges<'_>) -> bool {
        self.kind != SoftmaxKind::Hardmax && self.depth < DEPTH_END
    }

    fn fixed_quantization(&self) -> Option<Quantization> {
        let fixed = self.kind == SoftmaxKind::Softmax && self.depth < DEPTH_END;
        fixed.then_some(Quantization::PROBABILITY)
    }
}

/// The logarithm of `softmax`.
fn logarithm(softmax: softmax::Softmax, edges: &Edges<'_>) -> Result<LogSoftmax, Refusal> {
    let argument = f64::from(edges.input(0)?.scale) * ONE;
    // A logarithm is at most the span of the inputs and the logarithm of the longest row's length.
    let largest = 255.0 * argument + 9.0 * ONE;
    let factor = 1.0 / (ONE * f64::from(edges.output()?.scale));
    Ok(LogSoftmax {
        softmax,
        argument: multiplier(argument, 255.0)?,
        factor: multiplier(factor, largest)?,
        store: edges.store()?,
    })
}

/// Mantissa and left shift of the input's scale in Q5.26, and the smallest `x − max` that does
/// not overflow them.
fn scaling(scale: f32) -> Result<(i32, u8, i32), Refusal> {
    let fixed = f64::from(scale) * f64::from(1 << (31 - INTEGER_BITS));
    let factor = fixed.min(f64::from(i32::MAX));
    if factor <= 1.0 {
        return Err(Refusal::Factor {
            factor: scale.into(),
        });
    }
    let (mantissa, shift) = split(factor);
    let largest = ((1 << INTEGER_BITS) - 1) as f64 * f64::from(1 << (31 - INTEGER_BITS));
    let radius = (largest / 2_f64.powi(shift)).floor();
    // A factor of at most 2^31 − 1 has a shift of at most 31; the plan takes up to 30.
    match u8::try_from(shift) {
        Ok(shift) if shift <= 30 => Ok((mantissa, shift, -(radius as i32))),
        _ => Err(Refusal::Factor {
            factor: scale.into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scaling_is_tflites() {
        // From TFLite's `PreprocessSoftmaxScaling` and `CalculateInputRadius` by hand:
        // 0.125 · 2^26 = 2^23 = 0.5 · 2^24, and 31 · 2^26 / 2^24 = 124.
        assert_eq!(scaling(0.125).unwrap(), (1 << 30, 24, -124));
    }

    #[test]
    fn a_scale_beyond_fixed_point_is_refused() {
        assert!(scaling(1e-9).is_err());
        assert!(scaling(1e9).is_err());
    }
}
