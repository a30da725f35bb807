//! Rules that the parameters of several operators share.

use crate::num::{Multiplier, Output, Shape, Window};
use crate::operator::{Fault, checked_len, require};

/// Rows or columns of an activation.
pub const EXTENT_MAX: usize = 1 << 16;
/// Taps, strides, dilations and paddings.
pub const WINDOW_MAX: usize = 1 << 15;
/// Products of one sum: keeps `taps · 255 · 128` within int32.
pub const TAPS_MAX: usize = 1 << 16;

/// A shape has elements, and no more than the limits.
///
/// # Errors
/// [`Fault::Size`] if it has not.
pub fn shape(shape: Shape) -> Result<(), Fault> {
    let bounded = shape.height <= EXTENT_MAX && shape.width <= EXTENT_MAX;
    require(bounded, Fault::Size)?;
    checked_len(&[shape.height, shape.width, shape.channels]).map(drop)
}

/// A window fits its shapes: every output has a tap that touches the input or lies in the padding
/// before it, so that no pool is over nothing.
///
/// # Errors
/// [`Fault::Size`] or [`Fault::Shape`].
pub fn window(input: Shape, output: Shape, window: &Window) -> Result<(), Fault> {
    shape(input)?;
    shape(output)?;
    let extents = [(input.height, output.height), (input.width, output.width)];
    for (axis, (extent, outputs)) in extents.into_iter().enumerate() {
        let (kernel, stride) = (window.kernel[axis], window.stride[axis]);
        let (dilation, pad) = (window.dilation[axis], window.pad[axis]);
        let sizes = [kernel, stride, dilation];
        let bounded = sizes.iter().all(|&size| size > 0 && size <= WINDOW_MAX);
        require(bounded, Fault::Size)?;
        require(pad <= (kernel - 1) * dilation, Fault::Shape)?;
        require((outputs - 1) * stride < extent + pad, Fault::Shape)?;
    }
    Ok(())
}

/// As [`window()`], without dilation, with as many channels out as in.
///
/// # Errors
/// [`Fault::Size`] or [`Fault::Shape`].
pub fn pool(input: Shape, output: Shape, window: &Window) -> Result<(), Fault> {
    self::window(input, output, window)?;
    let fits = input.channels == output.channels && window.dilation == [1, 1];
    require(fits, Fault::Shape)?;
    taps(&window.kernel, 1)
}

/// The product of `factors` is at most [`TAPS_MAX`], and `channels` times that has bounded weights.
///
/// # Errors
/// [`Fault::Size`] if not.
pub fn taps(factors: &[usize], channels: usize) -> Result<(), Fault> {
    let taps = checked_len(factors)?;
    require(taps <= TAPS_MAX, Fault::Size)?;
    checked_len(&[taps, channels]).map(drop)
}

/// A multiplier is in its ranges.
///
/// # Errors
/// [`Fault::Number`] if it is not.
pub const fn factor(factor: Multiplier) -> Result<(), Fault> {
    require(factor.is_valid(), Fault::Number)
}

/// Multipliers, given as mantissas and shifts, are in their ranges.
///
/// # Errors
/// [`Fault::Number`] if one is not.
pub fn factors(mantissas: &[i32], shifts: &[i8]) -> Result<(), Fault> {
    let mut factors = mantissas.iter().zip(shifts);
    factors.try_for_each(|(&mantissa, &shift)| factor(Multiplier { mantissa, shift }))
}

/// A clamp leaves a value.
///
/// # Errors
/// [`Fault::Number`] if it leaves none.
pub const fn clamp(min: i8, max: i8) -> Result<(), Fault> {
    require(min <= max, Fault::Number)
}

/// An output's clamp leaves a value.
///
/// # Errors
/// [`Fault::Number`] if it leaves none.
pub const fn store(store: &Output) -> Result<(), Fault> {
    clamp(store.min, store.max)
}
