//! Changes of type.

use super::super::model::Kind;
use super::super::translation::{Stop, Translation};
use crate::error::Refusal;
use crate::import::source::{Attribute, Element};

/// Real numbers to integers, or integers to others.
pub fn quantize(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let result = cx.result(0)?;
    if !result.is_quantized() {
        return Err(Refusal::Type {
            value: result.name.clone(),
            found: result.kind.element().name(),
        }
        .into());
    }
    let real = cx.real(0)?;
    cx.finish_result(0, real)
}

pub fn dequantize(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let operand = cx.operand(0)?;
    let tensor = cx.tensor(operand);
    // Constants in half precision are float already.
    if tensor.kind == Kind::F16 && !tensor.data.is_empty() {
        let real = cx.value(0)?;
        return cx.alias(real);
    }
    let real = cx.dequantized(operand)?;
    if cx.result(0)?.is_quantized() {
        return Err(Refusal::Type {
            value: cx.result(0)?.name.clone(),
            found: cx.result(0)?.kind.element().name(),
        }
        .into());
    }
    cx.finish_result(0, real)
}

pub fn cast(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let result = cx.result(0)?;
    // ONNX's numbers of the types.
    let to = match result.kind.element() {
        Element::F32 => 1,
        Element::U8 => 2,
        Element::I8 => 3,
        Element::I32 => 6,
        Element::I64 => 7,
        Element::Bool => 9,
        Element::Other => {
            return Err(Refusal::Type {
                value: result.name.clone(),
                found: Element::Other.name(),
            }
            .into());
        }
    };
    let input = cx.value(0)?;
    let dims = cx.dims(input).to_vec();
    let value = cx.node("Cast", &[input], &[("to", Attribute::Int(to))], &dims);
    cx.finish_result(0, value)
}
