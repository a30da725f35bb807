//! Writing where int32 indices say, which are an operand, into a copy of the first operand.

use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::float::gather::Places;
use microtome_kernels::float::scatter::{self, Reduction};
use microtome_kernels::float::source::Source;
use microtome_kernels::view::AXES;

/// Elements, row major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScatterElements {
    /// Sizes of the data.
    pub dims: [usize; AXES],
    /// Sizes of the indices and updates.
    pub index_dims: [usize; AXES],
    /// The axis along which the indices are.
    pub axis: usize,
    /// What becomes of the element that is there.
    pub reduction: Reduction,
}

/// Sums and products of int8 would change their scale.
const fn moves(reduction: Reduction) -> bool {
    !matches!(reduction, Reduction::Add | Reduction::Mul)
}

impl GraphOp for ScatterElements {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = scatter::ScatterElements {
            element: edges.output_edge().element(),
            dims: self.dims,
            index_dims: self.index_dims,
            axis: self.axis,
            reduction: self.reduction,
            indices: Source::Operand,
            updates: Source::Operand,
        };
        Ok(Kernel::new(params, edges))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        self.integer(edges)
    }

    fn has_integer(&self, _: &Edges<'_>) -> bool {
        moves(self.reduction)
    }

    fn keeps_quantization(&self) -> bool {
        moves(self.reduction)
    }

    fn aligns_quantization(&self) -> bool {
        moves(self.reduction)
    }
}

/// Slices at places, row major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScatterNd {
    /// The places.
    pub places: Places,
    /// What becomes of the elements that are there.
    pub reduction: Reduction,
}

impl GraphOp for ScatterNd {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = scatter::ScatterNd {
            element: edges.output_edge().element(),
            places: self.places,
            reduction: self.reduction,
            indices: Source::Operand,
            updates: Source::Operand,
        };
        Ok(Kernel::new(params, edges))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        self.integer(edges)
    }

    fn has_integer(&self, _: &Edges<'_>) -> bool {
        moves(self.reduction)
    }

    fn keeps_quantization(&self) -> bool {
        moves(self.reduction)
    }

    fn aligns_quantization(&self) -> bool {
        moves(self.reduction)
    }
}
