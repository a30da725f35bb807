//! Maximum of each window; keeps the quantization.

use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::float::pool::{Indices, PoolF32, PoolKind};
use microtome_kernels::num::{Shape, Window};
use microtome_kernels::reference::max_pool;

/// Parameters of a maximum pool.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPool {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// The window.
    pub window: Window,
}

impl GraphOp for MaxPool {
    fn is_of_reals(&self) -> bool {
        true
    }

    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let store = edges.store();
        let params = max_pool::MaxPool {
            input: self.input,
            output: self.output,
            window: self.window,
            min: store.min,
            max: store.max,
        };
        Ok(Kernel::new(params, edges))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = PoolF32 {
            kind: PoolKind::Max {
                indices: Indices::None,
            },
            input: self.input,
            output: self.output,
            window: self.window,
        };
        Ok(Kernel::new(params, edges))
    }

    fn keeps_quantization(&self) -> bool {
        true
    }

    fn takes_bounds(&self) -> bool {
        true
    }
}
