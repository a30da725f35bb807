//! Comparisons, element by element, with broadcasting; the results are truth values.

use super::factor::multiplier;
use super::view::Views;
use super::{Edges, GraphOp, Kernel, Pulsed};
use crate::error::Refusal;
use crate::pulse::Stream;
use microtome_kernels::float::compare;
use microtome_kernels::float::pair::Pair;
use microtome_kernels::float::source::Source;
use microtome_kernels::reference::compare::{Compare as CompareInt8, Relation};
use microtome_kernels::view::Broadcast;

/// A comparison of each pair of elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compare {
    /// What is asked.
    pub relation: Relation,
    /// How the operands are read.
    pub views: Views<2>,
}

impl GraphOp for Compare {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let quantizations = [0, 1].map(|operand| edges.input_edge(operand).quantization);
        let [Some(a), Some(b)] = quantizations else {
            return self.float(edges);
        };
        let scales = [f64::from(a.scale), f64::from(b.scale)];
        let twice_max = 2.0 * scales[0].max(scales[1]);
        let shifted = 255.0 * f64::from(1 << 20);
        let params = CompareInt8 {
            broadcast: Broadcast {
                dims: self.views.dims,
                a: self.views.strides[0],
                b: self.views.strides[1],
            },
            relation: self.relation,
            zeros: [a.zero, b.zero],
            factors: [
                multiplier(scales[0] / twice_max, shifted)?,
                multiplier(scales[1] / twice_max, shifted)?,
            ],
        };
        Ok(Kernel::new(params, edges))
    }

    fn pulse(&self, edges: &Edges<'_>, stream: &Stream) -> Pulsed {
        stream.elementwise(edges, &self.views.dims, &self.views.strides)
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        use compare::CompareKind;
        let kind = match self.relation {
            Relation::Equal => CompareKind::Equal,
            Relation::Less => CompareKind::Less,
            Relation::LessOrEqual => CompareKind::LessOrEqual,
            Relation::Greater => CompareKind::Greater,
            Relation::GreaterOrEqual => CompareKind::GreaterOrEqual,
            Relation::NotEqual => return Err(Refusal::Operator),
        };
        let [a, b] = self.views.strides;
        let params = compare::Compare {
            kind,
            element: edges.input_edge(0).element(),
            operands: Pair {
                dims: self.views.dims,
                a,
                b,
                a_len: edges.input_edge(0).len,
                b_len: edges.input_edge(1).len,
                a_source: Source::Operand,
                b_source: Source::Operand,
            },
        };
        Ok(Kernel::new(params, edges))
    }
}
