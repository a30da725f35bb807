//! Slices of the input along an axis, by int32 indices.

use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, checked_len, extents, one};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a gather. The input is `[outer][axis_len][inner]`, the output
/// `[outer][indices_len][inner]`.
///
/// A negative index counts from the end; what is still out of range becomes the nearest index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gather {
    /// Type of the elements.
    pub element: Element,
    /// Elements before the axis.
    pub outer: usize,
    /// Elements along the axis.
    pub axis_len: usize,
    /// Elements after the axis.
    pub inner: usize,
    /// Indices.
    pub indices_len: usize,
    /// Whether the indices are a constant, and not the second operand.
    pub constant: bool,
}

impl Gather {
    fn index(&self, index: i32) -> usize {
        let index = i64::from(index);
        let len = self.axis_len as i64;
        let from_start = if index < 0 { index + len } else { index };
        from_start.clamp(0, len - 1) as usize
    }
}

impl Operator for Gather {
    fn kind(&self) -> &'static str {
        "gather"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.outer, self.axis_len, self.inner])?;
        checked_len(&[self.outer, self.indices_len, self.inner]).map(drop)
    }

    fn inputs(&self) -> Extents {
        let len = self.outer * self.axis_len * self.inner;
        let data = Extent::new(self.element, len);
        let indices = Extent::new(Element::I32, self.indices_len);
        let operands = if self.constant { 1 } else { 2 };
        extents(&[data, indices][..operands])
    }

    fn outputs(&self) -> Extents {
        one(self.element, self.outer * self.indices_len * self.inner)
    }

    fn constants(&self) -> Extents {
        if self.constant {
            one(Element::I32, self.indices_len)
        } else {
            Extents::new()
        }
    }

    fn run(&self, _set: &KernelSet, mut args: Args<'_>) {
        let indices: &[i32] = if self.constant {
            args.constant(0)
        } else {
            args.input(1)
        };
        let run = self.inner * self.element.bytes();
        let slices = args.input::<u8>(0).chunks_exact(self.axis_len * run);
        let outputs = args
            .output::<u8>(0)
            .chunks_exact_mut(self.indices_len * run);
        for (to, from) in outputs.zip(slices) {
            for (to, &index) in to.chunks_exact_mut(run).zip(indices) {
                to.copy_from_slice(&from[self.index(index) * run..][..run]);
            }
        }
    }
}
