//! Mean of each window.

use super::factor::multiplier;
use super::{Edges, GraphOp, Kernel, Op, Pulsed};
use crate::error::Refusal;
use crate::pulse::Stream;
use microtome_kernels::float::pool::{PoolF32, PoolKind};
use microtome_kernels::num::{Multiplier, Shape, Window};
use microtome_kernels::reference::average_pool::{self, Divide};

/// Parameters of an average pool.
#[derive(Clone, Debug, PartialEq)]
pub struct AveragePool {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// The window.
    pub window: Window,
    /// Whether padding counts, as zeros.
    pub counts_padding: bool,
    /// Whether it is a mean over axes, which is rounded as any change of scale is, even where the
    /// scale stays.
    pub is_mean: bool,
    /// Padding below the input and to the right of it.
    pub after: [usize; 2],
}

impl AveragePool {
    /// Whether a window leaves even the padding, as in ceil mode.
    fn leaves_padding(&self) -> bool {
        let (input, output, window) = (self.input, self.output, &self.window);
        let extents = [(input.height, output.height), (input.width, output.width)];
        let mut axes = extents.into_iter().enumerate();
        axes.any(|(axis, (extent, outputs))| {
            let reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
            let end = (outputs - 1) * window.stride[axis] + reach;
            end > window.pad[axis] + extent + self.after[axis]
        })
    }
}

impl GraphOp for AveragePool {
    fn is_of_reals(&self) -> bool {
        true
    }

    /// The rounding of TFLite's `AVERAGE_POOL_2D` where the quantization stays and each window is
    /// divided by its own count; else mean and change of scale in one rounding, as in its `MEAN`.
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let (input, output) = (edges.input(0)?, edges.output()?);
        let is_padded = self.window.pad != [0, 0];
        let by_factor = self.is_mean || (self.counts_padding && is_padded);
        let divide = if input == output && !by_factor {
            Divide::Count
        } else {
            let taps = self.window.kernel[0] * self.window.kernel[1];
            let factor = f64::from(input.scale) / f64::from(output.scale);
            Divide::Scale {
                zero: input.zero,
                factor: divided(multiplier(factor, 255.0)?, taps),
            }
        };
        let params = average_pool::AveragePool {
            input: self.input,
            output: self.output,
            window: self.window,
            divide,
            store: edges.store()?,
        };
        Ok(Kernel::new(params, edges))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = PoolF32 {
            kind: PoolKind::Average {
                padding: self.counts_padding.then_some(self.after),
            },
            input: self.input,
            output: self.output,
            window: self.window,
        };
        Ok(Kernel::new(params, edges))
    }

    fn pulse(&self, _edges: &Edges<'_>, stream: &Stream) -> Pulsed {
        let op = |input, window| {
            Op::from(Self {
                input,
                window,
                ..self.clone()
            })
        };
        if self.window.pad[0] > 0 && !self.counts_padding {
            return Pulsed::Refused("a mean that leaves out padding cannot tell it from frames");
        }
        stream.window(self.input, self.output, self.window, 0.0, op)
    }

    /// What leaves the padding is no constant number of taps.
    fn has_integer(&self, _: &Edges<'_>) -> bool {
        let varies = self.counts_padding && self.leaves_padding();
        self.window.dilation == [1, 1] && !varies
    }

    fn takes_bounds(&self) -> bool {
        true
    }

    // Where padding does not count, the divisor varies: the mean keeps the input's scale.
    fn keeps_quantization(&self) -> bool {
        !self.counts_padding
    }
}

/// `factor / count`, its mantissa truncated as TFLite does it.
pub(super) fn divided(factor: Multiplier, count: usize) -> Multiplier {
    let (shift, least) = (i32::from(factor.shift), i32::from(Multiplier::SHIFT_MIN));
    let count = count.max(1) as u64;
    let log = (count.ilog2().min(32) as i32).min(shift - least);
    let mantissa = ((factor.mantissa as u64) << log) / count;
    // A mantissa below the range stands for half the factor, doubled: the products are the same.
    let lack = mantissa.leading_zeros() as i32 - 33;
    let shift = shift - log - lack;
    if mantissa == 0 || shift < least {
        return Multiplier {
            mantissa: 0,
            shift: 0,
        };
    }
    Multiplier {
        mantissa: (mantissa << lack) as i32,
        shift: shift as i8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mantissa_of_a_mean_is_truncated() {
        // 1 is 2^30 · 2^(1 − 31). TFLite has floor(2^30 · 2^5 / 49) and a shift of −4; its mantissa
        // is below 2^30, so that ours is twice that.
        let one = multiplier(1.0, 1.0).unwrap();
        let mean = divided(one, 49);
        assert_eq!((mean.mantissa, mean.shift), (701_219_150 * 2, -5));
        assert!(mean.is_valid());
        assert_eq!(divided(one, 64), multiplier(1.0 / 64.0, 1.0).unwrap());
        assert_eq!(divided(one, 1), one);
    }
}
