//! Sums, changes of scale, clamps and pads.

use super::factor::multiplier;
use super::{Edges, Kernel};
use crate::error::Refusal;
use crate::graph::op;
use microtome_kernels::reference::{
    add::{Add, LEFT_SHIFT},
    clamp::Clamp,
    pad::Pad,
    rescale::Rescale,
};

/// Largest difference of two int8 values.
const SPAN: f64 = 255.0;

/// TFLite's int8 `ADD`: operands are scaled to twice the larger scale, with 20 more bits.
pub(super) fn add(edges: &Edges<'_>) -> Result<Kernel, Refusal> {
    let inputs = [edges.input(0), edges.input(1)];
    let scales = inputs.map(|input| f64::from(input.scale));
    let twice_max = 2.0 * scales[0].max(scales[1]);
    let shift = f64::from(1 << LEFT_SHIFT);
    let operand = |scale: f64| multiplier(scale / twice_max, SPAN * shift);
    let sum = twice_max / (shift * f64::from(edges.output().scale));
    Ok(Kernel::Add(Add {
        len: edges.len(),
        zeros: inputs.map(|input| input.zero),
        factors: [operand(scales[0])?, operand(scales[1])?],
        factor: multiplier(sum, SPAN * shift)?,
        store: edges.store(),
    }))
}

/// A clamp where the quantization stays, else a rescale that clamps.
pub(super) fn requantize(edges: &Edges<'_>) -> Result<Kernel, Refusal> {
    let (input, output, store) = (edges.input(0), edges.output(), edges.store());
    let len = edges.len();
    if input == output {
        return Ok(Kernel::Clamp(Clamp {
            len,
            min: store.min,
            max: store.max,
        }));
    }
    let factor = f64::from(input.scale) / f64::from(output.scale);
    Ok(Kernel::Rescale(Rescale {
        len,
        zero: input.zero,
        factor: multiplier(factor, SPAN)?,
        store,
    }))
}

pub(super) fn pad(op: &op::Pad, edges: &Edges<'_>) -> Kernel {
    Kernel::Pad(Pad {
        input: op.input,
        output: op.output,
        before: op.before,
        value: edges.input(0).quantize(op.value),
    })
}
