//! Convolutions: the image becomes NCHW, the weights OIHW.

use super::super::schema::options;
use super::super::translation::{Stop, Translation};
use super::activation::fused;
use super::image::{nchw, nhwc};
use super::pool::{Sliding, positive};
use crate::error::Refusal;
use crate::import::source::{Attribute, ValueId};

pub fn conv_2d(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let mut sliding = Sliding::default();
    let mut activation = 0;
    if let Some(options) = cx.options(options::CONV_2D)? {
        sliding.is_valid = options.byte(0, 0)? != 0;
        sliding.stride = [options.int(2, 0)?, options.int(1, 0)?];
        activation = options.byte(3, 0)?;
        sliding.dilation = [options.int(5, 1)?, options.int(4, 1)?];
    }
    let (input, weights) = (image(cx, 0)?, image(cx, 1)?);
    let [outputs, rows, columns, depth] = weights;
    sliding.kernel = [rows, columns];
    let groups = input[3].checked_div(depth).unwrap_or(0);
    let weights = cx.permuted(1, &[0, 3, 1, 2])?;
    conv(cx, weights, outputs, groups, &sliding, activation)
}

pub fn depthwise_conv_2d(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let mut sliding = Sliding::default();
    let mut activation = 0;
    if let Some(options) = cx.options(options::DEPTHWISE_CONV_2D)? {
        sliding.is_valid = options.byte(0, 0)? != 0;
        sliding.stride = [options.int(2, 0)?, options.int(1, 0)?];
        activation = options.byte(4, 0)?;
        sliding.dilation = [options.int(6, 1)?, options.int(5, 1)?];
    }
    let (input, weights) = (image(cx, 0)?, image(cx, 1)?);
    let [_, rows, columns, outputs] = weights;
    sliding.kernel = [rows, columns];
    let weights = cx.permuted(1, &[3, 0, 1, 2])?;
    conv(cx, weights, outputs, input[3], &sliding, activation)
}

fn conv(
    cx: &mut Translation<'_>,
    weights: ValueId,
    outputs: usize,
    groups: usize,
    sliding: &Sliding,
    activation: u8,
) -> Result<(), Stop> {
    let input = image(cx, 0)?;
    let bias = bias(cx, 2)?;
    let real = cx.real(0)?;
    let real = nchw(cx, real)?;
    let (pads, [height, width]) = sliding.place([input[1], input[2]])?;
    let attributes = [
        ("group", Attribute::Int(groups as i64)),
        ("kernel_shape", sliding.kernel_shape()),
        ("strides", sliding.strides()),
        ("dilations", sliding.dilations()),
        ("pads", pads),
    ];
    let mut operands = vec![real, weights];
    operands.extend(bias);
    let dims = [input[0], outputs, height, width];
    let real = cx.node("Conv", &operands, &attributes, &dims);
    let real = fused(cx, real, activation)?;
    let real = nhwc(cx, real)?;
    cx.finish_result(0, real)
}

/// A transposed convolution. Its padding is that of the convolution which it transposes.
pub fn transpose_conv(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let (mut is_valid, mut stride, mut activation) = (false, [0, 0], 0);
    if let Some(options) = cx.options(options::TRANSPOSE_CONV)? {
        is_valid = options.byte(0, 0)? != 0;
        stride = [options.int(2, 0)?, options.int(1, 0)?];
        activation = options.byte(3, 0)?;
    }
    let (weights, input) = (image(cx, 1)?, image(cx, 2)?);
    let output = cx.result(0)?.dims.clone();
    let &[batch, height, width, channels] = &*output else {
        return Err(Refusal::Shape {
            found: vec![output],
        }
        .into());
    };
    let stride = positive("stride", stride)?;
    let (mut before, mut after, mut more) = ([0; 2], [0; 2], [0; 2]);
    for (axis, output) in [height, width].into_iter().enumerate() {
        let (kernel, inputs) = (weights[1 + axis] as i64, input[1 + axis] as i64);
        let whole = (inputs - 1) * stride[axis] + kernel;
        let surplus = whole - output as i64;
        // A result that is larger than what the window covers has its surplus at the end.
        more[axis] = (-surplus).max(0);
        if !is_valid {
            before[axis] = surplus.max(0) / 2;
        }
        after[axis] = surplus.max(0) - before[axis];
    }
    let bias = bias_of(cx, 3, 2, 1)?;
    let weights_value = cx.permuted(1, &[3, 0, 1, 2])?;
    let real = cx.real(2)?;
    let real = nchw(cx, real)?;
    let kernel = [weights[1] as i64, weights[2] as i64];
    let attributes = [
        ("kernel_shape", Attribute::Ints(kernel.into())),
        ("strides", Attribute::Ints(stride.into())),
        ("pads", Attribute::Ints([before, after].concat())),
        ("output_padding", Attribute::Ints(more.into())),
    ];
    let mut operands = vec![real, weights_value];
    operands.extend(bias);
    let dims = [batch, channels, height, width];
    let real = cx.node("ConvTranspose", &operands, &attributes, &dims);
    let real = fused(cx, real, activation)?;
    let real = nhwc(cx, real)?;
    cx.finish_result(0, real)
}

/// The bias of an operator whose image and weights are operands 0 and 1.
pub fn bias(cx: &mut Translation<'_>, operand: usize) -> Result<Option<ValueId>, Stop> {
    bias_of(cx, operand, 0, 1)
}

fn bias_of(
    cx: &mut Translation<'_>,
    operand: usize,
    input: usize,
    weights: usize,
) -> Result<Option<ValueId>, Stop> {
    let Some(bias) = cx.optional(operand) else {
        return Ok(None);
    };
    let (input, weights) = (cx.operand(input)?, cx.operand(weights)?);
    cx.bias(bias, input, weights).map(Some)
}

fn image(cx: &Translation<'_>, operand: usize) -> Result<[usize; 4], Stop> {
    let dims = &cx.operand_tensor(operand)?.dims;
    let found = || Refusal::Shape {
        found: vec![dims.clone()],
    };
    Ok(<[usize; 4]>::try_from(&**dims).map_err(|_| found())?)
}
