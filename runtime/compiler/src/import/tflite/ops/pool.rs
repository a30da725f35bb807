//! Pools, and windows that slide over images: strides, and TFLite's paddings in numbers.

use super::super::schema::options;
use super::super::translation::{Stop, Translation};
use super::activation::fused;
use super::image::{nchw, nhwc};
use crate::error::Refusal;
use crate::import::source::Attribute;

/// A window and its steps, rows first.
#[derive(Clone, Debug)]
pub struct Sliding {
    /// Sizes.
    pub kernel: [usize; 2],
    /// Steps.
    pub stride: [i32; 2],
    /// Distances of its taps.
    pub dilation: [i32; 2],
    /// Whether it stays inside of the image; else the result is as large as the image, but for
    /// the stride.
    pub is_valid: bool,
}

impl Default for Sliding {
    /// The defaults of TFLite's options: a stride of 0, which is refused.
    fn default() -> Self {
        Self {
            kernel: [0, 0],
            stride: [0, 0],
            dilation: [1, 1],
            is_valid: false,
        }
    }
}

impl Sliding {
    /// `pads` over an image of this size, and the size of the result.
    pub fn place(&self, image: [usize; 2]) -> Result<(Attribute, [usize; 2]), Stop> {
        let stride = positive("stride", self.stride)?;
        let dilation = positive("dilation", self.dilation)?;
        let (mut before, mut after, mut outputs) = ([0; 2], [0; 2], [0; 2]);
        for (axis, size) in image.into_iter().enumerate() {
            let (size, kernel) = (size as i64, self.kernel[axis] as i64);
            let reach = (kernel - 1) * dilation[axis] + 1;
            let covered = if self.is_valid {
                size - reach + 1
            } else {
                size
            };
            if kernel < 1 || covered < 1 {
                return Err(Refusal::Shape {
                    found: vec![image.into(), self.kernel.into()],
                }
                .into());
            }
            let output = (covered + stride[axis] - 1) / stride[axis];
            outputs[axis] = output as usize;
            if !self.is_valid {
                let total = ((output - 1) * stride[axis] + reach - size).max(0);
                before[axis] = total / 2;
                after[axis] = total - total / 2;
            }
        }
        Ok((Attribute::Ints([before, after].concat()), outputs))
    }

    /// `kernel_shape`.
    pub fn kernel_shape(&self) -> Attribute {
        Attribute::Ints(self.kernel.map(|it| it as i64).into())
    }

    /// `strides`.
    pub fn strides(&self) -> Attribute {
        Attribute::Ints(self.stride.map(i64::from).into())
    }

    /// `dilations`.
    pub fn dilations(&self) -> Attribute {
        Attribute::Ints(self.dilation.map(i64::from).into())
    }
}

/// Both values, if they are positive.
pub fn positive(attribute: &'static str, values: [i32; 2]) -> Result<[i64; 2], Stop> {
    if values.iter().all(|&value| value > 0) {
        return Ok(values.map(i64::from));
    }
    Err(Refusal::Attribute {
        attribute,
        value: format!("{values:?}"),
    }
    .into())
}

pub fn pool(cx: &mut Translation<'_>, op: &str) -> Result<(), Stop> {
    let mut sliding = Sliding::default();
    let mut activation = 0;
    if let Some(options) = cx.options(options::POOL_2D)? {
        sliding.is_valid = options.byte(0, 0)? != 0;
        sliding.stride = [options.int(2, 0)?, options.int(1, 0)?];
        let kernel = positive("filter", [options.int(4, 0)?, options.int(3, 0)?])?;
        sliding.kernel = kernel.map(|it| it as usize);
        activation = options.byte(5, 0)?;
    }
    let input = cx.real(0)?;
    let real = nchw(cx, input)?;
    let &[batch, channels, height, width] = cx.dims(real) else {
        return Err(Refusal::Shape {
            found: vec![cx.dims(real).into()],
        }
        .into());
    };
    let (pads, [height, width]) = sliding.place([height, width])?;
    let attributes = [
        ("kernel_shape", sliding.kernel_shape()),
        ("strides", sliding.strides()),
        ("pads", pads),
    ];
    let dims = [batch, channels, height, width];
    let real = cx.node(op, &[real], &attributes, &dims);
    let real = fused(cx, real, activation)?;
    let real = nhwc(cx, real)?;
    cx.finish_result(0, real)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(kernel: usize, stride: i32, dilation: i32, is_valid: bool) -> (Vec<i64>, usize) {
        let sliding = Sliding {
            kernel: [kernel; 2],
            stride: [stride; 2],
            dilation: [dilation; 2],
            is_valid,
        };
        let (pads, outputs) = sliding.place([7, 7]).unwrap();
        let Attribute::Ints(pads) = pads else {
            panic!("{pads:?}")
        };
        (vec![pads[0], pads[2]], outputs[0])
    }

    #[test]
    fn same_padding_has_its_odd_element_behind() {
        assert_eq!(placed(3, 1, 1, false), (vec![1, 1], 7));
        assert_eq!(placed(4, 1, 1, false), (vec![1, 2], 7));
        assert_eq!(placed(3, 2, 1, false), (vec![1, 1], 4));
        assert_eq!(placed(3, 1, 2, false), (vec![2, 2], 7));
        assert_eq!(placed(1, 3, 1, false), (vec![0, 0], 3));
    }

    #[test]
    fn valid_windows_stay_inside() {
        assert_eq!(placed(3, 2, 1, true), (vec![0, 0], 3));
        assert_eq!(placed(3, 1, 3, true), (vec![0, 0], 1));
    }

    #[test]
    fn a_window_that_does_not_fit_or_stand_still_is_refused() {
        let sliding = Sliding {
            kernel: [8, 8],
            is_valid: true,
            stride: [1, 1],
            ..Sliding::default()
        };
        assert!(sliding.place([7, 7]).is_err());
        assert!(Sliding::default().place([7, 7]).is_err());
    }
}
