//! Reading where int32 indices say, which are an operand: an activation or a constant.

use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::data::gather;
use microtome_kernels::float::gather as float;
use microtome_kernels::float::gather::Places;
use microtome_kernels::float::source::Source;
use microtome_kernels::view::AXES;

/// Slices of `[outer][axis_len][inner]` along the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gather {
    /// Elements before the axis.
    pub outer: usize,
    /// Elements along the axis.
    pub axis_len: usize,
    /// Elements after the axis.
    pub inner: usize,
}

impl GraphOp for Gather {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = gather::Gather {
            element: edges.output_edge().element(),
            outer: self.outer,
            axis_len: self.axis_len,
            inner: self.inner,
            indices_len: edges.input_edge(1).len,
            constant: false,
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

/// Elements, row major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatherElements {
    /// Sizes of the input.
    pub dims: [usize; AXES],
    /// Sizes of the indices and the output.
    pub index_dims: [usize; AXES],
    /// The axis along which the indices are.
    pub axis: usize,
}

impl GraphOp for GatherElements {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = float::GatherElements {
            element: edges.output_edge().element(),
            dims: self.dims,
            index_dims: self.index_dims,
            axis: self.axis,
            indices: Source::Operand,
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

/// Slices at places, row major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatherNd {
    /// Blocks, each with indices of its own.
    pub batch: usize,
    /// The places.
    pub places: Places,
}

impl GraphOp for GatherNd {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = float::GatherNd {
            element: edges.output_edge().element(),
            batch: self.batch,
            places: self.places,
            indices: Source::Operand,
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
