//! Average and maximum pools.

use super::factor::multiplier;
use super::{Edges, Kernel};
use crate::error::Refusal;
use crate::graph::op;
use microtome_kernels::reference::average_pool::{AveragePool, Divide};
use microtome_kernels::reference::max_pool::MaxPool;

/// TFLite's rounding where the quantization stays and each window is divided by its own count;
/// else mean and change of scale in one rounding.
pub(super) fn average_pool(op: &op::AveragePool, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
    let (input, output) = (edges.input(0), edges.output());
    let is_padded = op.window.pad != [0, 0];
    let divide = if input == output && !(op.counts_padding && is_padded) {
        Divide::Count
    } else {
        let taps = (op.window.kernel[0] * op.window.kernel[1]) as f64;
        let factor = f64::from(input.scale) / (f64::from(output.scale) * taps);
        Divide::Scale {
            zero: input.zero,
            factor: multiplier(factor, 255.0 * taps)?,
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
