//! Activations: fused into another operator, or operators themselves; and softmax.

use super::super::schema::options;
use super::super::translation::{Stop, Translation};
use crate::error::Refusal;
use crate::import::source::{Attribute, ValueId};

/// `real` after the fused activation that `code` names; its result will be result 0.
pub fn fused(cx: &mut Translation<'_>, real: ValueId, code: u8) -> Result<ValueId, Stop> {
    let dims = cx.dims(real).to_vec();
    match code {
        0 => Ok(real),
        1 => Ok(cx.node("Relu", &[real], &[], &dims)),
        2 => clip(cx, real, -1.0, 1.0),
        3 => clip(cx, real, 0.0, 6.0),
        4 => Ok(cx.node("Tanh", &[real], &[], &dims)),
        other => Err(Refusal::Attribute {
            attribute: "fused_activation_function",
            value: other.to_string(),
        }
        .into()),
    }
}

pub fn relu(cx: &mut Translation<'_>) -> Result<(), Stop> {
    alone(cx, 1)
}

pub fn relu_n1_to_1(cx: &mut Translation<'_>) -> Result<(), Stop> {
    alone(cx, 2)
}

pub fn relu6(cx: &mut Translation<'_>) -> Result<(), Stop> {
    alone(cx, 3)
}

fn alone(cx: &mut Translation<'_>, code: u8) -> Result<(), Stop> {
    let input = cx.real(0)?;
    let real = fused(cx, input, code)?;
    cx.finish_result(0, real)
}

fn clip(cx: &mut Translation<'_>, real: ValueId, min: f32, max: f32) -> Result<ValueId, Stop> {
    let (min, max) = (bound(cx, min)?, bound(cx, max)?);
    let (min, max) = (cx.scalar("min", min), cx.scalar("max", max));
    let dims = cx.dims(real).to_vec();
    Ok(cx.node("Clip", &[real, min, max], &[], &dims))
}

/// `bound`, or for a quantized result the real number that TFLite takes for it: it rounds the
/// quotient in float, halves away from zero, where `QuantizeLinear` rounds halves to even.
fn bound(cx: &Translation<'_>, bound: f32) -> Result<f32, Stop> {
    let result = cx.result(0)?;
    match result.quantization.as_ref().map(|it| &*it.scales) {
        Some(&[scale]) if result.is_quantized() && scale > 0.0 => {
            let steps = (bound / scale).round();
            // Beyond all integers of the result, any bound does.
            Ok(if steps.abs() < 512.0 {
                steps * scale
            } else {
                bound
            })
        }
        _ => Ok(bound),
    }
}

pub fn leaky_relu(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let alpha = match cx.options(options::LEAKY_RELU)? {
        Some(options) => options.float(0, 0.0)?,
        None => 0.0,
    };
    with_attribute(cx, "LeakyRelu", ("alpha", Attribute::Float(alpha)))
}

pub fn gelu(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let is_approximate = match cx.options(options::GELU)? {
        Some(options) => options.byte(0, 0)? != 0,
        None => false,
    };
    let form = if is_approximate { "tanh" } else { "none" };
    with_attribute(cx, "Gelu", ("approximate", Attribute::Text(form.into())))
}

pub fn softmax(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let beta = match cx.options(options::SOFTMAX)? {
        Some(options) => options.float(0, 0.0)?,
        None => 1.0,
    };
    if beta != 1.0 {
        return Err(Refusal::Attribute {
            attribute: "beta",
            value: beta.to_string(),
        }
        .into());
    }
    with_attribute(cx, "Softmax", ("axis", Attribute::Int(-1)))
}

pub fn log_softmax(cx: &mut Translation<'_>) -> Result<(), Stop> {
    with_attribute(cx, "LogSoftmax", ("axis", Attribute::Int(-1)))
}

fn with_attribute(
    cx: &mut Translation<'_>,
    op: &str,
    attribute: (&str, Attribute),
) -> Result<(), Stop> {
    let input = cx.real(0)?;
    let dims = cx.dims(input).to_vec();
    let real = cx.node(op, &[input], &[attribute], &dims);
    cx.finish_result(0, real)
}
