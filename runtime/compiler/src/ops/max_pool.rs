//! Maximum of each window; keeps the quantization.

use super::{Edges, GraphOp, Kernel, Op, Pulsed};
use crate::error::Refusal;
use crate::pulse::Stream;
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
    /// The second result.
    pub indices: Indices,
}

impl GraphOp for MaxPool {
    fn is_of_reals(&self) -> bool {
        // Places are integers.
        self.indices == Indices::None
    }

    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let store = edges.store()?;
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
                indices: self.indices,
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
        if self.window.pad[0] > 0 {
            return Pulsed::Refused("a maximum over padding cannot tell it from frames");
        }
        stream.window(self.input, self.output, self.window, 0.0, op)
    }

    fn has_integer(&self, _: &Edges<'_>) -> bool {
        self.window.dilation == [1, 1] && self.indices == Indices::None
    }

    fn keeps_quantization(&self) -> bool {
        true
    }

    fn takes_bounds(&self) -> bool {
        true
    }
}
