//! Dynamic quantization: scales of activations that the model finds as it runs.
//!
//! `DynamicQuantizeLinear` → `MatMulInteger` or `ConvInteger` → `Cast` → `Mul` by both scales is the
//! product of real activations and quantized weights, but for the rounding of the activations. It
//! becomes that product: `MatMul` or `Conv` on the weights behind a `DequantizeLinear`. The result
//! is nearer to the model that was quantized than the source is.

use super::super::tensor;
use super::links::{Links, Wholes};
use super::qoperator::columns;
use super::rewriter::{Rewriter, attributes_but, int_of, not_constant, operand, optional, result};
use crate::error::Refusal;
use std::collections::HashMap;
use std::mem;
use tract_onnx::pb::NodeProto;
use tract_onnx::pb::tensor_proto::DataType;

/// A product: names of the values that it reads and makes.
struct Product<'a> {
    activation: &'a str,
    weights: &'a str,
    weights_zero: Option<&'a str>,
    weights_scale: &'a str,
    result: &'a str,
    /// The nodes that are of this product alone: `Cast` and `Mul`.
    own: [usize; 2],
    /// Those that others may share: the product of scales, the quantizer.
    shared: [usize; 2],
}

/// Finds the products that are quantized dynamically, and makes what they become.
pub(super) fn find(cx: &mut Rewriter<'_>) -> Wholes {
    let mut found = Wholes::default();
    let is_product = |node: &NodeProto| matches!(&*node.op_type, "MatMulInteger" | "ConvInteger");
    let nodes = cx.source();
    if !nodes.iter().any(is_product) {
        return found;
    }
    let links = Links::new(cx);
    // Readers that a product absorbs, and the product.
    let mut readers = HashMap::new();
    let mut shared = Vec::new();
    for (index, node) in nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| is_product(node))
    {
        let Some(product) = product(&links, node) else {
            continue;
        };
        cx.begin(node);
        // What cannot be rewritten is left as it is.
        if emit(cx, node, &product).is_ok() {
            found.nodes.insert(index, mem::take(&mut cx.nodes));
            readers.extend(
                product
                    .own
                    .iter()
                    .chain([&index])
                    .map(|&part| (part, index)),
            );
            shared.extend(product.shared.map(|part| (part, index)));
        }
        cx.nodes.clear();
    }
    // The products of scales first: they read the quantizers.
    for kind in ["Mul", "DynamicQuantizeLinear"] {
        for &(part, index) in &shared {
            let node = &nodes[part];
            if node.op_type == kind && links.is_read_by(node, &readers) {
                readers.entry(part).or_insert(index);
            }
        }
    }
    readers.retain(|part, _| !found.nodes.contains_key(part));
    found.parts = readers;
    found
}

/// The product of which `node` is the middle.
fn product<'a>(links: &Links<'a>, node: &'a NodeProto) -> Option<Product<'a>> {
    let integers = optional(node, 0)?;
    let (quantizer, quantize) = links.maker(integers, "DynamicQuantizeLinear")?;
    let [made, scale, zero] = &*quantize.output else {
        return None;
    };
    if made != integers || optional(node, 2) != Some(zero) || result(node).is_err() {
        return None;
    }
    let (cast, cast_node) = links.only_reader(result(node).ok()?, "Cast")?;
    if int_of(cast_node, "to", 0) != DataType::Float as i64 {
        return None;
    }
    let sums = result(cast_node).ok()?;
    let (rescale, rescale_node) = links.only_reader(sums, "Mul")?;
    let scales = other_operand(rescale_node, sums)?;
    let (scales, scales_node) = links.maker(scales, "Mul")?;
    Some(Product {
        activation: optional(quantize, 0)?,
        weights: optional(node, 1)?,
        weights_zero: optional(node, 3),
        weights_scale: other_operand(scales_node, scale)?,
        result: result(rescale_node).ok()?,
        own: [cast, rescale],
        shared: [scales, quantizer],
    })
}

fn other_operand<'n>(node: &'n NodeProto, operand: &str) -> Option<&'n str> {
    match &*node.input {
        [a, b] if a == operand => Some(b),
        [a, b] if b == operand => Some(a),
        _ => None,
    }
}

/// Adds the product in real numbers for `node`, its `MatMulInteger` or `ConvInteger`.
fn emit(cx: &mut Rewriter<'_>, node: &NodeProto, product: &Product<'_>) -> Result<(), Refusal> {
    let weights = cx.constant(product.weights);
    let rank = weights
        .ok_or_else(|| not_constant(product.weights))?
        .dims
        .len();
    let is_conv = node.op_type == "ConvInteger";
    // Scales of a convolution's channels are broadcast over its rows and columns.
    let behind = if is_conv { rank.saturating_sub(2) } else { 0 };
    let scale = one_axis(cx, product.weights_scale, behind)?;
    let axis = if is_conv {
        0
    } else {
        columns(cx, product.weights)
    };
    let weights = cx.dequantize(product.weights, &scale, product.weights_zero, axis)?;
    let op = if is_conv { "Conv" } else { "MatMul" };
    let inputs = [product.activation, &weights];
    cx.emit(op, &inputs, product.result, attributes_but(node, &[]));
    Ok(())
}

/// Scales whose only axis larger than 1 has `behind` axes after it, as a list.
fn one_axis(cx: &mut Rewriter<'_>, scale: &str, behind: usize) -> Result<String, Refusal> {
    let values = cx.f32s(scale)?;
    let dims = cx
        .constant(scale)
        .map(|it| it.dims.clone())
        .unwrap_or_default();
    if dims.len() <= 1 && (behind == 0 || values.len() == 1) {
        return Ok(scale.into());
    }
    let count = values.len() as i64;
    let place = dims.len().checked_sub(behind + 1);
    if count != 1 && place.map(|place| dims[place]) != Some(count) {
        let found = tensor::dims(&tensor::of_f32s("", &dims, &[])).unwrap_or_default();
        return Err(Refusal::Shape { found: vec![found] });
    }
    Ok(cx.add_constant(tensor::of_f32s("", &[count], &values)))
}

/// `DynamicQuantizeMatMul(a, b, bs, bz?, bias?)`: the same as one operator.
pub(super) fn matmul(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let (b, scale) = (operand(node, 1)?, operand(node, 2)?);
    let axis = columns(cx, b);
    let b = cx.dequantize(b, scale, optional(node, 3), axis)?;
    biased_matmul(cx, node, operand(node, 0)?, &b, 4)
}

/// `MatMulIntegerToFloat(a, b, as, bs, az?, bz?, bias?)`.
pub(super) fn matmul_to_float(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let a = cx.dequantize(operand(node, 0)?, operand(node, 2)?, optional(node, 4), 0)?;
    let b = operand(node, 1)?;
    let axis = columns(cx, b);
    let b = cx.dequantize(b, operand(node, 3)?, optional(node, 5), axis)?;
    biased_matmul(cx, node, &a, &b, 6)
}

fn biased_matmul(
    cx: &mut Rewriter<'_>,
    node: &NodeProto,
    a: &str,
    b: &str,
    bias: usize,
) -> Result<(), Refusal> {
    let y = result(node)?;
    match optional(node, bias) {
        Some(bias) => {
            let product = cx.value("MatMul", &[a, b], Vec::new());
            cx.emit("Add", &[&product, bias], y, Vec::new());
        }
        None => cx.emit("MatMul", &[a, b], y, Vec::new()),
    }
    Ok(())
}
