//! Average and maximum pools.

use super::factor::multiplier;
use super::{Edges, Kernel};
use crate::error::Refusal;
use crate::graph::op;
use microtome_kernels::num::Multiplier;
use microtome_kernels::reference::average_pool::{AveragePool, Divide};
use microtome_kernels::reference::max_pool::MaxPool;

/// The rounding of TFLite's `AVERAGE_POOL_2D` where the quantization stays and each window is
/// divided by its own count; else mean and change of scale in one rounding, as its `MEAN`.
pub(super) fn average_pool(op: &op::AveragePool, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
    let (input, output) = (edges.input(0), edges.output());
    let is_padded = op.window.pad != [0, 0];
    let counts = op.is_mean || op.counts_padding && is_padded;
    let divide = if input == output && !counts {
        Divide::Count
    } else {
        let taps = op.window.kernel[0] * op.window.kernel[1];
        let factor = f64::from(input.scale) / f64::from(output.scale);
        Divide::Scale {
            zero: input.zero,
            factor: divided(multiplier(factor, 255.0)?, taps),
        }
    };
    Ok(Kernel::AveragePool(AveragePool {
        input: op.input,
        output: op.output,
        window: op.window,
        divide,
        store: edges.store(),
    }))
}

/// `factor / count`, the mantissa truncated as TFLite does it.
fn divided(factor: Multiplier, count: usize) -> Multiplier {
    let count = count as u64;
    let log = count.max(1).ilog2().min(32) as i32;
    let log = log.min(i32::from(factor.shift) - i32::from(Multiplier::SHIFT_MIN));
    let mantissa = ((factor.mantissa as u64) << log) / count.max(1);
    let shift = i32::from(factor.shift) - log;
    // A mantissa below the range is that of half the factor, doubled: the products are the same.
    let lack = mantissa.leading_zeros() as i32 - 33;
    if mantissa == 0 || shift - lack < i32::from(Multiplier::SHIFT_MIN) {
        return Multiplier {
            mantissa: 0,
            shift: 0,
        };
    }
    Multiplier {
        mantissa: (mantissa << lack) as i32,
        shift: (shift - lack) as i8,
    }
}

pub(super) fn max_pool(op: &op::MaxPool, edges: &Edges<'_>) -> Kernel {
    let store = edges.store();
    Kernel::MaxPool(MaxPool {
        input: op.input,
        output: op.output,
        window: op.window,
        min: store.min,
        max: store.max,
    })
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
