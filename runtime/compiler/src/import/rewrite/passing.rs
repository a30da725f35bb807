//! Operators that stand on integers in the *QOperator* format and only move or choose them: they
//! are done on the real numbers, whose quantization stays the same.

use super::super::tensor;
use super::rewriter::{Rewriter, attributes_but, float, optional};
use crate::error::Refusal;
use tract_onnx::pb::NodeProto;

/// Operators whose results have the quantization of their first operand.
pub(super) const PASSING: &[&str] = &[
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "Identity",
    "MaxPool",
    "Pad",
    "Reshape",
    "Resize",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
];

/// Dequantizes the first operand, and quantizes every result as it was; `false` when the operand
/// is no quantized integer.
pub(super) fn pass(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<bool, Refusal> {
    let Some(value) = optional(node, 0) else {
        return Ok(false);
    };
    let Some(quantizer) = cx.quantizers.get(value).cloned() else {
        return Ok(false);
    };
    let (scale, zero) = (&*quantizer.scale, quantizer.zero.as_deref());
    let real = cx.dequantize(value, scale, zero, 0)?;
    let mut real_node = NodeProto {
        output: Vec::new(),
        ..node.clone()
    };
    real_node.input[0] = real;
    if node.op_type == "Pad" {
        pad_value(cx, node, &mut real_node, scale, zero)?;
    }
    let mut results = Vec::new();
    for output in &node.output {
        let real = match &**output {
            "" => String::new(),
            output => {
                let real = cx.fresh("value");
                results.push((real.clone(), output));
                real
            }
        };
        real_node.output.push(real);
    }
    cx.nodes.push(real_node);
    for (real, output) in results {
        cx.quantize(&real, scale, zero, zero, output)?;
    }
    Ok(true)
}

/// Gives `real_node` the real number that `node`, a pad of integers, pads with.
fn pad_value(
    cx: &mut Rewriter<'_>,
    node: &NodeProto,
    real_node: &mut NodeProto,
    scale: &str,
    zero: Option<&str>,
) -> Result<(), Refusal> {
    let integer = |cx: &Rewriter<'_>, name: &str| {
        let values = cx.constant(name).and_then(tensor::integers)?;
        (values.len() == 1).then(|| values[0])
    };
    let unknown = |value: &str| super::rewriter::not_constant(value);
    let padding = match optional(node, 2) {
        Some(name) => integer(cx, name).ok_or_else(|| unknown(name))?,
        None => 0,
    };
    let zero = match zero {
        Some(name) => integer(cx, name).ok_or_else(|| unknown(name))?,
        None => 0,
    };
    let &[scale] = &*cx.f32s(scale)? else {
        return Err(unknown(scale));
    };
    let real = padding.wrapping_sub(zero) as f32 * scale;
    if cx.opset < 11 {
        real_node.attribute = attributes_but(node, &["value"]);
        real_node.attribute.push(float("value", real));
        return Ok(());
    }
    let real = cx.add_real(real);
    real_node
        .input
        .resize(real_node.input.len().max(3), String::new());
    real_node.input[2] = real;
    Ok(())
}
