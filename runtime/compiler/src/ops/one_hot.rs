//! One value where an index says along a new axis, another elsewhere.

use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::float::one_hot;

/// Indices `[outer][inner]` to `[outer][depth][inner]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneHot {
    /// What lies outside of the new axis.
    pub outer: usize,
    /// Elements along the new axis.
    pub depth: usize,
    /// What lies inside of the new axis.
    pub inner: usize,
    /// The value where the index says.
    pub on: f64,
    /// The value elsewhere.
    pub off: f64,
}

impl GraphOp for OneHot {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let edge = edges.output_edge();
        let held = |value: f64| match edge.quantization {
            Some(quantization) => quantization.quantize(value).into(),
            None => value as f32,
        };
        let params = one_hot::OneHot {
            element: edge.element(),
            outer: self.outer,
            depth: self.depth,
            inner: self.inner,
            on: held(self.on),
            off: held(self.off),
        };
        Ok(Kernel::new(params, edges))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        self.integer(edges)
    }
}
