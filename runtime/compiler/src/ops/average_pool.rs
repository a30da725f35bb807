//! Mean of each window.

use super::factor::multiplier;
use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::float::pool::{PoolF32, PoolKind};
use microtome_kernels::num::{Shape, Window};
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
}

impl GraphOp for AveragePool {
    /// TFLite's rounding where the quantization stays and each window is divided by its own
    /// count; else mean and change of scale in one rounding.
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let (input, output) = (edges.input(0), edges.output());
        let is_padded = self.window.pad != [0, 0];
        let divide = if input == output && !(self.counts_padding && is_padded) {
            Divide::Count
        } else {
            let taps = (self.window.kernel[0] * self.window.kernel[1]) as f64;
            let factor = f64::from(input.scale) / (f64::from(output.scale) * taps);
            Divide::Scale {
                zero: input.zero,
                factor: multiplier(factor, 255.0 * taps)?,
            }
        };
        let params = average_pool::AveragePool {
            input: self.input,
            output: self.output,
            window: self.window,
            divide,
            store: edges.store(),
        };
        Ok(Kernel::new(params, edges))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        // A window never leaves the padding; so there is as much of it as the last one reaches.
        let (input, output) = (self.input, self.output);
        let extents = [(input.height, output.height), (input.width, output.width)];
        let reach = [0, 1].map(|axis| {
            let (extent, outputs) = extents[axis];
            let end = (outputs - 1) * self.window.stride[axis] + self.window.kernel[axis];
            end.saturating_sub(self.window.pad[axis] + extent)
        });
        let params = PoolF32 {
            kind: PoolKind::Average {
                padding: self.counts_padding.then_some(reach),
            },
            input: self.input,
            output: self.output,
            window: self.window,
        };
        Ok(Kernel::new(params, edges))
    }

    fn takes_bounds(&self) -> bool {
        true
    }

    // Where padding does not count, the divisor varies: the mean keeps the input's scale.
    fn keeps_quantization(&self) -> bool {
        !self.counts_padding
    }
}
