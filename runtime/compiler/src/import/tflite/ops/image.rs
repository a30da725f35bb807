//! Images between NHWC and NCHW, and operators on images that are neither convolutions nor pools.

use super::super::schema::options;
use super::super::translation::{Stop, Translation};
use crate::error::Refusal;
use crate::import::source::{Attribute, ValueId};

/// An image, or a sequence `[batch, length, channels]`, with the channels moved before the rows.
pub fn nchw(cx: &mut Translation<'_>, real: ValueId) -> Result<ValueId, Stop> {
    match cx.dims(real).len() {
        3 => cx.transposed(real, &[0, 2, 1]),
        4 => cx.transposed(real, &[0, 3, 1, 2]),
        _ => Err(Refusal::Shape {
            found: vec![cx.dims(real).into()],
        }
        .into()),
    }
}

/// The way back.
pub fn nhwc(cx: &mut Translation<'_>, real: ValueId) -> Result<ValueId, Stop> {
    match cx.dims(real).len() {
        3 => cx.transposed(real, &[0, 2, 1]),
        4 => cx.transposed(real, &[0, 2, 3, 1]),
        _ => Err(Refusal::Shape {
            found: vec![cx.dims(real).into()],
        }
        .into()),
    }
}

pub fn resize_nearest(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let (mut aligned, mut half_pixel) = (false, false);
    if let Some(options) = cx.options(options::RESIZE_NEAREST_NEIGHBOR)? {
        (aligned, half_pixel) = (options.byte(0, 0)? != 0, options.byte(1, 0)? != 0);
    }
    // TFLite floors the position; with half pixels, of which ONNX subtracts one half, and with
    // aligned corners, it rounds halves up.
    let rounding = match aligned || half_pixel {
        true => "round_prefer_ceil",
        false => "floor",
    };
    resize(cx, aligned, half_pixel, "nearest", Some(rounding))
}

pub fn resize_bilinear(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let (mut aligned, mut half_pixel) = (false, false);
    if let Some(options) = cx.options(options::RESIZE_BILINEAR)? {
        (aligned, half_pixel) = (options.byte(2, 0)? != 0, options.byte(3, 0)? != 0);
    }
    resize(cx, aligned, half_pixel, "linear", None)
}

fn resize(
    cx: &mut Translation<'_>,
    aligned: bool,
    half_pixel: bool,
    mode: &str,
    rounding: Option<&str>,
) -> Result<(), Stop> {
    let positions = match (aligned, half_pixel) {
        (true, _) => "align_corners",
        (false, true) => "half_pixel",
        (false, false) => "asymmetric",
    };
    let text = |text: &str| Attribute::Text(text.into());
    let mut attributes = vec![
        ("mode", text(mode)),
        ("coordinate_transformation_mode", text(positions)),
    ];
    attributes.extend(rounding.map(|rounding| ("nearest_mode", text(rounding))));
    let dims = channels_first(&cx.result(0)?.dims)?;
    let input = cx.real(0)?;
    let real = nchw(cx, input)?;
    let sizes = cx.list("sizes", &dims.map(|dim| dim as i64));
    let operands = vec![Some(real), None, None, Some(sizes)];
    let real = cx.node_of("Resize", operands, &attributes, &[dims.into()])[0];
    let real = nhwc(cx, real)?;
    cx.finish_result(0, real)
}

pub fn space_to_depth(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let block = match cx.options(options::SPACE_TO_DEPTH)? {
        Some(options) => options.int(0, 0)?,
        None => 0,
    };
    blocks(cx, "SpaceToDepth", block, &[])
}

pub fn depth_to_space(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let block = match cx.options(options::DEPTH_TO_SPACE)? {
        Some(options) => options.int(0, 0)?,
        None => 0,
    };
    blocks(
        cx,
        "DepthToSpace",
        block,
        &[("mode", Attribute::Text("DCR".into()))],
    )
}

fn blocks(
    cx: &mut Translation<'_>,
    op: &str,
    block: i32,
    more: &[(&str, Attribute)],
) -> Result<(), Stop> {
    let mut attributes = vec![("blocksize", Attribute::Int(block.into()))];
    attributes.extend_from_slice(more);
    let dims = channels_first(&cx.result(0)?.dims)?;
    let input = cx.real(0)?;
    let real = nchw(cx, input)?;
    let real = cx.node(op, &[real], &attributes, &dims);
    let real = nhwc(cx, real)?;
    cx.finish_result(0, real)
}

fn channels_first(dims: &[usize]) -> Result<[usize; 4], Stop> {
    match *dims {
        [batch, height, width, channels] => Ok([batch, channels, height, width]),
        _ => Err(Refusal::Shape {
            found: vec![dims.into()],
        }
        .into()),
    }
}
