//! Padding, with a constant or mirrored.

use super::super::schema::options;
use super::super::translation::{Stop, Translation};
use super::image::{nchw, nhwc};
use crate::error::Refusal;
use crate::import::source::{Attribute, Elements};

/// `PAD`, with zeros, and `PADV2`, with a number.
pub fn pad(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let value = match cx.optional(2) {
        Some(_) => number(cx, 2)?,
        None => 0.0,
    };
    padded(cx, "constant", Some(value))
}

pub fn mirror_pad(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let mode = match cx.options(options::MIRROR_PAD)? {
        Some(options) => options.byte(0, 0)?,
        None => 0,
    };
    if mode != 0 {
        return Err(Refusal::Attribute {
            attribute: "mode",
            value: "SYMMETRIC".into(),
        }
        .into());
    }
    padded(cx, "reflect", None)
}

fn padded(cx: &mut Translation<'_>, mode: &str, value: Option<f32>) -> Result<(), Stop> {
    let mut real = cx.real(0)?;
    let pads = cx.integers(1)?;
    let result = cx.result(0)?.dims.clone();
    let rank = result.len();
    if pads.len() != 2 * rank || cx.dims(real).len() != rank {
        return Err(Refusal::Attribute {
            attribute: "paddings",
            value: format!("{pads:?}"),
        }
        .into());
    }
    // Rows and columns are padded where the channels come first.
    let is_image = matches!(rank, 3 | 4);
    let mut order: Vec<_> = (0..rank).collect();
    if is_image {
        order[1..].rotate_right(1);
        real = nchw(cx, real)?;
    }
    let before = order.iter().map(|&axis| pads[2 * axis]);
    let after = order.iter().map(|&axis| pads[2 * axis + 1]);
    let pads: Vec<_> = before.chain(after).collect();
    let mut operands = vec![real, cx.list("pads", &pads)];
    operands.extend(value.map(|value| cx.scalar("value", value)));
    let dims: Vec<_> = order.iter().map(|&axis| result[axis]).collect();
    let mode = [("mode", Attribute::Text(mode.into()))];
    let mut real = cx.node("Pad", &operands, &mode, &dims);
    if is_image {
        real = nhwc(cx, real)?;
    }
    cx.finish_result(0, real)
}

/// Operand `operand`, one constant real number.
fn number(cx: &mut Translation<'_>, operand: usize) -> Result<f32, Stop> {
    let tensor = cx.operand_tensor(operand)?;
    if tensor.data.is_empty() {
        return Err(Refusal::NotConstant {
            value: tensor.name.clone(),
        }
        .into());
    }
    let integer = match tensor.elements()? {
        Elements::F32(values) if values.len() == 1 => return Ok(values[0]),
        Elements::I8(values) if values.len() == 1 => i64::from(values[0]),
        Elements::U8(values) if values.len() == 1 => i64::from(values[0]),
        _ => {
            return Err(Refusal::Type {
                value: tensor.name.clone(),
                found: tensor.kind.element().name(),
            }
            .into());
        }
    };
    let quantization = tensor.quantization.as_ref();
    let quantization = quantization.ok_or_else(|| Refusal::NotQuantized {
        value: tensor.name.clone(),
    })?;
    let steps = integer.saturating_sub(quantization.zeros[0]);
    Ok(quantization.scales[0] * steps as f32)
}
