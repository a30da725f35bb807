//! Views: how the operands of an element-wise operator, or of a copy, are read.

use crate::error::Refusal;
use microtome_kernels::view::{AXES, Strides};

/// How a result, row major, is read from `N` operands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Views<const N: usize> {
    /// Elements along each axis of the result.
    pub dims: [usize; AXES],
    /// Where they lie in each operand.
    pub strides: [Strides; N],
}

impl<const N: usize> Views<N> {
    /// The views with these axes, outermost first, each of a size and of a stride in each operand.
    /// Axes of size 1 do not count, and neighbours that go on as one in every operand are one.
    ///
    /// # Errors
    /// When more axes remain than a view has.
    pub fn new(offsets: [usize; N], axes: &[(usize, [isize; N])]) -> Result<Self, Refusal> {
        let mut merged: Vec<(usize, [isize; N])> = Vec::new();
        for &(size, strides) in axes.iter().filter(|(size, _)| *size != 1) {
            let goes_on = |outer: &[isize; N]| {
                let mut pairs = outer.iter().zip(strides);
                pairs.all(|(&outer, inner)| outer == inner * size as isize)
            };
            match merged.last_mut() {
                Some((outer, outer_strides)) if goes_on(outer_strides) => {
                    (*outer, *outer_strides) = (*outer * size, strides);
                }
                _ => merged.push((size, strides)),
            }
        }
        let found = merged.len();
        let first = AXES.checked_sub(found).ok_or(Refusal::TooMany {
            what: "axes that lie apart",
            found,
            most: AXES,
        })?;
        let mut dims = [1; AXES];
        let mut views = offsets.map(|offset| Strides {
            offset,
            strides: [0; AXES],
        });
        for (axis, (size, strides)) in merged.into_iter().enumerate() {
            dims[first + axis] = size;
            for (view, stride) in views.iter_mut().zip(strides) {
                view.strides[first + axis] = stride;
            }
        }
        Ok(Self {
            dims,
            strides: views,
        })
    }
}
