//! Root of the sum of the powers of each window, in float.

use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::float::pool::{PoolF32, PoolKind};
use microtome_kernels::num::{Shape, Window};

/// Parameters of a pool by the Lᵖ norm.
#[derive(Clone, Debug, PartialEq)]
pub struct LpPool {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// The window.
    pub window: Window,
    /// The power.
    pub p: f32,
}

impl GraphOp for LpPool {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        self.float(edges)
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = PoolF32 {
            kind: PoolKind::Lp { p: self.p },
            input: self.input,
            output: self.output,
            window: self.window,
        };
        Ok(Kernel::new(params, edges))
    }

    fn has_integer(&self, _: &Edges<'_>) -> bool {
        false
    }
}
