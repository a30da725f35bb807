//! Operands one after another.

use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::data::concat;
use microtome_kernels::operator::OPERANDS_MAX;

/// Operand `i` is `[outer][inner[i]]` in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Concat {
    /// Elements before the axis.
    pub outer: usize,
    /// Elements of each operand along the axis and after it.
    pub inner: Vec<usize>,
}

impl GraphOp for Concat {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let mut inner = [0; OPERANDS_MAX];
        for (to, &from) in inner.iter_mut().zip(&self.inner) {
            *to = from;
        }
        let params = concat::Concat {
            element: edges.output_edge().element(),
            outer: self.outer,
            inner,
        };
        Ok(Kernel::new(params, edges))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        self.integer(edges)
    }

    fn aligns_quantization(&self) -> bool {
        true
    }
}
