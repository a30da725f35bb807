//! Rules for windows over float activations: looser than those of the integer kernels, since a
//! window that touches nothing has a result too.

use crate::num::{Shape, Window};
use crate::operator::{Fault, checked_len, require};
use crate::rules::{WINDOW_MAX, shape};

/// All sizes are bounded, so that no position overflows.
///
/// # Errors
/// The rule that is broken.
pub fn check(input: Shape, output: Shape, window: &Window) -> Result<(), Fault> {
    shape(input)?;
    shape(output)?;
    for axis in 0..2 {
        let sizes = [
            window.kernel[axis],
            window.stride[axis],
            window.dilation[axis],
        ];
        let bounded = sizes.iter().all(|&size| size > 0 && size <= WINDOW_MAX);
        require(bounded && window.pad[axis] <= WINDOW_MAX, Fault::Size)?;
    }
    checked_len(&window.kernel)?;
    // A padded output position is at most this.
    let last = |outputs: usize, axis: usize| checked_len(&[outputs, window.stride[axis]]);
    last(output.height, 0)?;
    last(output.width, 1).map(drop)
}

/// A clamp leaves a value; infinities are no limits.
///
/// # Errors
/// [`Fault::Number`] if it leaves none.
pub fn clamp(min: f32, max: f32) -> Result<(), Fault> {
    require(min <= max, Fault::Number)
}
