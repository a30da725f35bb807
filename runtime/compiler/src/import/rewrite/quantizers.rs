//! `QuantizeLinear` and `DequantizeLinear` in the spellings of onnxruntime's domain and of ONNX's
//! later versions.

use super::super::tensor;
use super::rewriter::{Quantizer, Rewriter, attribute, attributes_but, int_of, optional};
use crate::error::Refusal;
use tract_onnx::pb::NodeProto;
use tract_onnx::pb::tensor_proto::DataType;

/// Attributes that name a type which the operands say as well.
const TYPES: &[&str] = &["output_dtype", "precision"];

/// `QuantizeLinear(x, scale, zero?)`: a type that only an attribute names becomes a zero point.
pub(super) fn quantize(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let mut standard = standard(node);
    let ty = int_of(node, "output_dtype", 0);
    let ty = DataType::try_from(i32::try_from(ty).unwrap_or(0)).unwrap_or(DataType::Undefined);
    let scale = optional(node, 1).and_then(|scale| cx.constant(scale));
    if let (None, Some(scale)) = (optional(node, 2), scale)
        && matches!(ty, DataType::Int8 | DataType::Uint8)
        && let Some(values) = tensor::f32s(scale)
    {
        let dims = scale.dims.clone();
        let zeros = tensor::of_integers("", ty, &dims, &vec![0; values.len()]);
        standard.input.resize(3, String::new());
        standard.input[2] = cx.add_constant(zeros);
    }
    if let (Some(scale), [output]) = (optional(&standard, 1), &*standard.output) {
        let quantizer = Quantizer {
            scale: scale.into(),
            zero: optional(&standard, 2).map(str::to_owned),
        };
        cx.quantizers.insert(output.clone(), quantizer);
    }
    cx.nodes.push(standard);
    Ok(())
}

/// `DequantizeLinear(x, scale, zero?)`.
pub(super) fn dequantize(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    cx.nodes.push(standard(node));
    Ok(())
}

fn standard(node: &NodeProto) -> NodeProto {
    let blocks = attribute(node, "block_size").is_some_and(|it| it.i == 0);
    let mut without = TYPES.to_vec();
    without.extend(blocks.then_some("block_size"));
    NodeProto {
        domain: String::new(),
        attribute: attributes_but(node, &without),
        ..node.clone()
    }
}
