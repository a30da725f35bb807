//! Copies of views: transposition, slices, repetition, reversal.

use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::data::copy;
use microtome_kernels::view::{AXES, Strides};

/// How a result, row major, is read from an operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Elements along each axis of the result.
    pub dims: [usize; AXES],
    /// Where they lie in the operand.
    pub input: Strides,
}

impl View {
    /// The view with these axes, outermost first, each of a size and a stride, from element
    /// `offset` on. Axes of size 1 do not count, and neighbours that go on as one are one.
    ///
    /// # Errors
    /// When more axes remain than a view has.
    pub fn new(offset: usize, axes: &[(usize, isize)]) -> Result<Self, Refusal> {
        let mut merged: Vec<(usize, isize)> = Vec::new();
        for &(size, stride) in axes.iter().filter(|(size, _)| *size != 1) {
            match merged.last_mut() {
                Some((outer, outer_stride)) if *outer_stride == stride * size as isize => {
                    (*outer, *outer_stride) = (*outer * size, stride);
                }
                _ => merged.push((size, stride)),
            }
        }
        let found = merged.len();
        let first = AXES.checked_sub(found).ok_or(Refusal::TooMany {
            what: "axes in another order",
            found,
            most: AXES,
        })?;
        let (mut dims, mut strides) = ([1; AXES], [0; AXES]);
        for (axis, (size, stride)) in merged.into_iter().enumerate() {
            (dims[first + axis], strides[first + axis]) = (size, stride);
        }
        let input = Strides { offset, strides };
        Ok(Self { dims, input })
    }
}

/// A copy of a view of the operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Copy(
    /// What is copied.
    pub View,
);

impl GraphOp for Copy {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = copy::Copy {
            element: edges.input_edge(0).element(),
            dims: self.0.dims,
            input: self.0.input,
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
