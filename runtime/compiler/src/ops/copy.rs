//! Copies of views: transposition, slices, repetition, reversal.

use super::view::Views;
use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::data::copy;

/// A copy of a view of the operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Copy(
    /// What is copied.
    pub Views<1>,
);

impl GraphOp for Copy {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = copy::Copy {
            element: edges.input_edge(0).element(),
            dims: self.0.dims,
            input: self.0.strides[0],
            input_len: edges.input_edge(0).len,
        };
        Ok(Kernel::new(params, edges))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        self.integer(edges)
    }

    fn keeps_quantization(&self) -> bool {
        true
    }
}
