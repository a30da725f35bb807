//! Formats of quantization that have no place in a plan, refused by name before anything else.

use super::rewrite::node_name;
use super::tensor;
use crate::error::{CompileError, Refusal};
use std::collections::HashMap;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

/// Operators whose quantization is their own, what it is, and what to do instead.
const OPERATORS: &[(&str, &str, &str)] = &[
    ("DynamicQuantizeLSTM", DYNAMIC_RECURRENT, KEEP_FLOAT),
    ("GatherBlockQuantized", BLOCKS, TO_INT8),
    ("MatMulBnb4", BLOCKS, TO_INT8),
    ("MatMulFpQ4", BLOCKS, TO_INT8),
    ("MatMulNBits", BLOCKS, TO_INT8),
    ("QAttention", ATTENTION, KEEP_FLOAT),
    ("QEmbedLayerNormalization", ATTENTION, KEEP_FLOAT),
    ("QMoE", BLOCKS, TO_INT8),
    (
        "QOrderedMatMul",
        "a layout of NVIDIA's tensor cores",
        TO_INT8,
    ),
];

const DYNAMIC_RECURRENT: &str = "a recurrent layer that is quantized as it runs";
const ATTENTION: &str = "a fused layer of quantized attention";
const BLOCKS: &str = "quantization of weights in blocks";
const KEEP_FLOAT: &str = "leave this layer in float when the model is quantized";
const TO_INT8: &str = "quantize to int8, per tensor or per channel";

/// Refuses the first node whose format no plan has.
pub fn require_taken(graph: &GraphProto) -> Result<(), CompileError> {
    let initializers = graph.initializer.iter();
    let mut constants: HashMap<&str, &TensorProto> =
        initializers.map(|it| (&*it.name, it)).collect();
    for node in &graph.node {
        let tensor = node.attribute.iter().find_map(|it| it.t.as_ref());
        if let ("Constant", [output], Some(tensor)) = (&*node.op_type, &*node.output, tensor) {
            constants.insert(output, tensor);
        }
        check(node, &constants).map_err(|refusal| refusal.at(node_name(node), &node.op_type))?;
    }
    Ok(())
}

fn check(node: &NodeProto, constants: &HashMap<&str, &TensorProto>) -> Result<(), Refusal> {
    let mut own = OPERATORS.iter();
    if let Some(&(_, found, instead)) = own.find(|(op, ..)| *op == node.op_type) {
        return Err(Refusal::Quantization { found, instead });
    }
    if !matches!(&*node.op_type, "QuantizeLinear" | "DequantizeLinear") {
        return Ok(());
    }
    let block = node.attribute.iter().find(|it| it.name == "block_size");
    if block.is_some_and(|block| block.i != 0) {
        return Err(Refusal::Quantization {
            found: BLOCKS,
            instead: TO_INT8,
        });
    }
    let is_quantize = node.op_type == "QuantizeLinear";
    let integers = node.input.iter().enumerate();
    for (_, name) in integers.filter(|&(at, _)| at == 2 || (at == 0 && !is_quantize)) {
        let Some(tensor) = constants.get(&**name) else {
            continue;
        };
        let ty = tensor::data_type(tensor);
        let is_taken = matches!(ty, DataType::Int8 | DataType::Uint8)
            || (ty == DataType::Int32 && !is_quantize);
        if !is_taken {
            return Err(Refusal::Type {
                value: name.clone(),
                found: tensor::type_name(tensor),
            });
        }
    }
    let output = node.attribute.iter().find(|it| it.name == "output_dtype");
    let ty = output.map_or(0, |it| it.i);
    let bytes = [DataType::Int8 as i64, DataType::Uint8 as i64];
    if is_quantize && ty != 0 && !bytes.contains(&ty) {
        return Err(Refusal::Attribute {
            attribute: "output_dtype",
            value: ty.to_string(),
        });
    }
    Ok(())
}
