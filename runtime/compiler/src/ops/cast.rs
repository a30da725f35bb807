//! Conversions between kinds of values, and questions about floats whose answers are truth values.

use super::{Edges, GraphOp, Kernel, Pulsed};
use crate::error::Refusal;
use crate::pulse::Stream;
use microtome_kernels::float::{cast, predicate};

/// The same numbers as another kind: real numbers as integers are cut off, and whatever is not
/// zero is true.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cast;

impl GraphOp for Cast {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = cast::Cast {
            from: edges.input_edge(0).element(),
            to: edges.output_edge().element(),
            len: edges.len(),
        };
        Ok(Kernel::new(params, edges))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        self.integer(edges)
    }

    fn pulse(&self, _edges: &Edges<'_>, _stream: &Stream) -> Pulsed {
        Pulsed::Local
    }

    // int8 values are not the numbers that they stand for.
    fn has_integer(&self, edges: &Edges<'_>) -> bool {
        let mut both = [edges.input_edge(0), edges.output_edge()].into_iter();
        both.all(|edge| edge.quantization.is_none())
    }
}

/// A question about each element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predicate(
    /// The question.
    pub predicate::PredicateKind,
);

impl GraphOp for Predicate {
    fn integer(&self, _edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        Err(Refusal::Operator)
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = predicate::Predicate {
            kind: self.0,
            len: edges.len(),
        };
        Ok(Kernel::new(params, edges))
    }

    fn has_integer(&self, _edges: &Edges<'_>) -> bool {
        false
    }
}
