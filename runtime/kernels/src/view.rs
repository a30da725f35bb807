//! Strided views: operands whose axes are broadcast, transposed or cut, without a copy.

use crate::operator::{Fault, checked_len, require};
use serde::{Deserialize, Serialize};

/// Axes of a view. One with fewer begins with axes of size 1.
pub const AXES: usize = 6;

/// How an operand is read (or written) along the axes of an iteration space: element
/// `offset + Σ index[axis] · strides[axis]`. A stride of 0 broadcasts; a negative one reads
/// backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strides {
    /// The first element.
    pub offset: usize,
    /// Elements between neighbours along each axis.
    pub strides: [isize; AXES],
}

impl Strides {
    /// Row-major strides of `dims`.
    pub fn row_major(dims: [usize; AXES]) -> Self {
        let mut strides = [0; AXES];
        let mut stride = 1;
        for axis in (0..AXES).rev() {
            strides[axis] = stride as isize;
            stride *= dims[axis];
        }
        Self { offset: 0, strides }
    }

    /// Where the element of `index` lies. In range for every index of a checked view.
    pub fn at(&self, index: [usize; AXES]) -> usize {
        let steps = index.iter().zip(&self.strides);
        let offset: isize = steps.map(|(&index, &stride)| index as isize * stride).sum();
        self.offset.wrapping_add_signed(offset)
    }

    /// Checks that every index of `dims`, none of which is 0, lies within `len` elements.
    ///
    /// # Errors
    /// [`Fault::Shape`] if one does not; [`Fault::Size`] for dims without elements.
    pub fn check(&self, dims: [usize; AXES], len: usize) -> Result<(), Fault> {
        checked_len(&dims)?;
        let (mut low, mut high) = (self.offset as i128, self.offset as i128);
        for (&dim, &stride) in dims.iter().zip(&self.strides) {
            let last = (dim as i128 - 1) * stride as i128;
            low += last.min(0);
            high += last.max(0);
        }
        require(low >= 0 && high < len as i128, Fault::Shape)
    }
}

/// Calls `each` with every index of `dims`, the last axis fastest.
pub fn for_each(dims: [usize; AXES], mut each: impl FnMut([usize; AXES])) {
    let mut index = [0; AXES];
    if dims.contains(&0) {
        return;
    }
    loop {
        each(index);
        let mut axis = AXES;
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            if index[axis] < dims[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}
