//! `Where`: a choice between two operands, element by element, with broadcasting.

use super::view::Views;
use super::{Edges, GraphOp, Kernel, Pulsed};
use crate::error::Refusal;
use crate::pulse::Stream;
use microtome_kernels::data::select;

/// A choice for each element: the second operand where the first is true, else the third.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Select(
    /// How the operands are read.
    pub Views<3>,
);

impl GraphOp for Select {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let [condition, a, b] = self.0.strides;
        let params = select::Select {
            element: edges.output_edge().element(),
            dims: self.0.dims,
            condition,
            a,
            b,
        };
        Ok(Kernel::new(params, edges))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        self.integer(edges)
    }

    fn pulse(&self, edges: &Edges<'_>, stream: &Stream) -> Pulsed {
        stream.elementwise(edges, &self.0.dims, &self.0.strides)
    }

    fn has_integer(&self, edges: &Edges<'_>) -> bool {
        let quantization = edges.output_edge().quantization;
        (1..3).all(|operand| edges.input_edge(operand).quantization == quantization)
    }
}
