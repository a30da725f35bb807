//! Sum of two activations.

use super::factor::multiplier;
use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::float::binary::{Binary, BinaryKind};
use microtome_kernels::float::pair::Pair;
use microtome_kernels::reference::add::{self, LEFT_SHIFT};
use microtome_kernels::view::Broadcast;

/// Largest difference of two int8 values.
const SPAN: f64 = 255.0;

/// Sum of two activations of one shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Add;

impl GraphOp for Add {
    /// TFLite's int8 `ADD`: operands are scaled to twice the larger scale, with 20 more bits.
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let inputs = [edges.input(0), edges.input(1)];
        let scales = inputs.map(|input| f64::from(input.scale));
        let twice_max = 2.0 * scales[0].max(scales[1]);
        let shift = f64::from(1 << LEFT_SHIFT);
        let operand = |scale: f64| multiplier(scale / twice_max, SPAN * shift);
        let sum = twice_max / (shift * f64::from(edges.output().scale));
        let params = add::Add {
            subtract: false,
            broadcast: Broadcast::flat(edges.len()),
            zeros: inputs.map(|input| input.zero),
            factors: [operand(scales[0])?, operand(scales[1])?],
            factor: multiplier(sum, SPAN * shift)?,
            store: edges.store(),
        };
        Ok(Kernel::new(params, edges))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = Binary {
            kind: BinaryKind::Add,
            operands: Pair::flat(edges.len()),
        };
        Ok(Kernel::new(params, edges))
    }

    fn takes_bounds(&self) -> bool {
        true
    }
}
