//! Operators on quantized integers, onnxruntime's *QOperator* format: each becomes the operator on
//! real numbers between a `DequantizeLinear` for each operand and a `QuantizeLinear`.
//!
//! That is what these operators are defined as, so nothing is lost: the model is then one of the
//! QDQ format. Scales and zero points have to be constants.

use super::super::tensor;
use super::rewriter::{
    Rewriter, attributes_but, float, float_of, int, int_of, ints, not_constant, operand, optional,
    result,
};
use crate::error::Refusal;
use tract_onnx::pb::{AttributeProto, NodeProto, TensorProto};

/// Attributes that say how the integers lie, and have no meaning for the operator itself.
const LAYOUT: &[&str] = &["channels_last"];

/// `QLinearConv(x, xs, xz, w, ws, wz, ys, yz, bias?)`.
pub(super) fn conv(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let (x_scale, w_scale) = (operand(node, 1)?, operand(node, 4)?);
    let x = dequantized(cx, node, 0, 1)?;
    let w = cx.dequantize(operand(node, 3)?, w_scale, optional(node, 5), 0)?;
    let bias = match optional(node, 8) {
        Some(bias) => {
            let scale = sum_scale(cx, x_scale, w_scale, 1.0)?;
            Some(cx.dequantize(bias, &scale, None, 0)?)
        }
        None => None,
    };
    let rank = cx.rank(operand(node, 3)?);
    let x = channels_first(cx, node, x, rank)?;
    let inputs: Vec<&str> = [&*x, &*w].into_iter().chain(bias.as_deref()).collect();
    let y = cx.value("Conv", &inputs, attributes_but(node, LAYOUT));
    let y = channels_last(cx, node, y, rank)?;
    quantize(cx, node, &y, 6, Some(2))
}

/// `QLinearMatMul(a, as, az, b, bs, bz, ys, yz)`.
pub(super) fn matmul(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let a = dequantized(cx, node, 0, 0)?;
    let b = dequantized(cx, node, 3, columns(cx, operand(node, 3)?))?;
    let y = cx.value("MatMul", &[&a, &b], Vec::new());
    quantize(cx, node, &y, 6, Some(2))
}

/// The axis along which weights `[…, inputs, outputs]` have their scales.
pub(super) fn columns(cx: &Rewriter<'_>, weights: &str) -> i64 {
    cx.rank(weights)
        .map_or(1, |rank| rank.saturating_sub(1) as i64)
}

/// `QGemm(a, as, az, b, bs, bz, c?, ys?, yz?)`; without a scale the result is real.
pub(super) fn gemm(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let (a_scale, b_scale) = (operand(node, 1)?, operand(node, 4)?);
    let a = dequantized(cx, node, 0, 0)?;
    let axis = i64::from(int_of(node, "transB", 0) == 0);
    let b = dequantized(cx, node, 3, axis)?;
    let alpha = float_of(node, "alpha", 1.0);
    let mut inputs = vec![a, b];
    if let Some(c) = optional(node, 6) {
        let scale = sum_scale(cx, a_scale, b_scale, alpha)?;
        let last = cx.rank(c).map_or(0, |rank| rank.saturating_sub(1) as i64);
        inputs.push(cx.dequantize(c, &scale, None, last)?);
    }
    let inputs: Vec<&str> = inputs.iter().map(|input| &**input).collect();
    let attributes = attributes_but(node, &[]);
    if optional(node, 7).is_none() {
        cx.emit("Gemm", &inputs, result(node)?, attributes);
        return Ok(());
    }
    let y = cx.value("Gemm", &inputs, attributes);
    quantize(cx, node, &y, 7, Some(2))
}

/// `QLinearAdd(a, as, az, b, bs, bz, ys, yz)`.
pub(super) fn add(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    binary(cx, node, "Add")
}

/// `QLinearMul`, with the operands of `QLinearAdd`.
pub(super) fn mul(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    binary(cx, node, "Mul")
}

fn binary(cx: &mut Rewriter<'_>, node: &NodeProto, op: &str) -> Result<(), Refusal> {
    let a = dequantized(cx, node, 0, 0)?;
    let b = dequantized(cx, node, 3, 0)?;
    let y = cx.value(op, &[&a, &b], Vec::new());
    quantize(cx, node, &y, 6, Some(2))
}

/// `QLinearSigmoid(x, xs, xz, ys, yz)`.
pub(super) fn sigmoid(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    unary(cx, node, "Sigmoid", Vec::new())
}

/// `QLinearLeakyRelu`, with the operands of `QLinearSigmoid`.
pub(super) fn leaky_relu(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let alpha = float("alpha", float_of(node, "alpha", 0.01));
    unary(cx, node, "LeakyRelu", vec![alpha])
}

fn unary(
    cx: &mut Rewriter<'_>,
    node: &NodeProto,
    op: &str,
    attributes: Vec<AttributeProto>,
) -> Result<(), Refusal> {
    let x = dequantized(cx, node, 0, 0)?;
    let y = cx.value(op, &[&x], attributes);
    quantize(cx, node, &y, 3, Some(2))
}

/// `QLinearGlobalAveragePool(x, xs, xz, ys, yz)`.
pub(super) fn global_average_pool(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let x = operand(node, 0)?;
    let rank = cx.rank(x).or_else(|| cx.rank(node.output.first()?));
    pool(cx, node, "GlobalAveragePool", rank)
}

/// `QLinearAveragePool`, with the operands of `QLinearGlobalAveragePool`.
pub(super) fn average_pool(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let kernel = super::rewriter::attribute(node, "kernel_shape");
    let rank = kernel.map(|kernel| kernel.ints.len() + 2);
    pool(cx, node, "AveragePool", rank)
}

fn pool(
    cx: &mut Rewriter<'_>,
    node: &NodeProto,
    op: &str,
    rank: Option<usize>,
) -> Result<(), Refusal> {
    let x = dequantized(cx, node, 0, 0)?;
    let x = channels_first(cx, node, x, rank)?;
    let y = cx.value(op, &[&x], attributes_but(node, LAYOUT));
    let y = channels_last(cx, node, y, rank)?;
    quantize(cx, node, &y, 3, Some(2))
}

/// `QLinearSoftmax(x, xs, xz, ys, yz)`; its attribute `opset` says which softmax it is: before 13
/// it joined all axes from `axis` on.
pub(super) fn softmax(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let joins = int_of(node, "opset", cx.opset) < 13;
    let axis = int_of(node, "axis", if joins { 1 } else { -1 });
    let x = dequantized(cx, node, 0, 0)?;
    let y = match (joins, cx.opset < 13) {
        (true, false) => {
            let rows = cx.value("Flatten", &[&x], vec![int("axis", axis)]);
            let rows = cx.value("Softmax", &[&rows], vec![int("axis", -1)]);
            let shape = cx.value("Shape", &[&x], Vec::new());
            cx.value("Reshape", &[&rows, &shape], Vec::new())
        }
        (false, true) => {
            return Err(Refusal::Attribute {
                attribute: "opset",
                value: int_of(node, "opset", 13).to_string(),
            });
        }
        _ => cx.value("Softmax", &[&x], vec![int("axis", axis)]),
    };
    quantize(cx, node, &y, 3, Some(2))
}

/// `QLinearReduceMean(x, xs, xz, ys, yz)`.
pub(super) fn reduce_mean(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let x = dequantized(cx, node, 0, 0)?;
    let axes = super::rewriter::attribute(node, "axes").map(|axes| axes.ints.clone());
    // Axes are an attribute up to opset 17, and an operand after it.
    let y = match axes {
        Some(axes) if cx.opset >= 18 => {
            let axes = cx.add_constant(tensor::of_i64s("", &axes));
            cx.value("ReduceMean", &[&x, &axes], attributes_but(node, &["axes"]))
        }
        _ => cx.value("ReduceMean", &[&x], attributes_but(node, &[])),
    };
    quantize(cx, node, &y, 3, Some(2))
}

/// `QLinearConcat(ys, yz, (x, xs, xz)…)`.
pub(super) fn concat(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let mut parts = Vec::new();
    for first in (2..node.input.len()).step_by(3) {
        parts.push(dequantized(cx, node, first, 0)?);
    }
    let parts: Vec<&str> = parts.iter().map(|part| &**part).collect();
    let y = cx.value("Concat", &parts, attributes_but(node, &[]));
    quantize(cx, node, &y, 0, None)
}

/// `QLinearWhere(condition, x, xs, xz, y, ys, yz, zs, zz)`.
pub(super) fn select(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let x = dequantized(cx, node, 1, 0)?;
    let y = dequantized(cx, node, 4, 0)?;
    let z = cx.value("Where", &[operand(node, 0)?, &x, &y], Vec::new());
    quantize(cx, node, &z, 7, Some(3))
}

/// Operand `first`, whose scale and zero point are the two operands after it.
fn dequantized(
    cx: &mut Rewriter<'_>,
    node: &NodeProto,
    first: usize,
    axis: i64,
) -> Result<String, Refusal> {
    let (value, scale) = (operand(node, first)?, operand(node, first + 1)?);
    cx.dequantize(value, scale, optional(node, first + 2), axis)
}

/// Quantizes `value` as the node's result with the scale of operand `scale` and the zero point
/// after it; `like` is a zero point of the same type.
fn quantize(
    cx: &mut Rewriter<'_>,
    node: &NodeProto,
    value: &str,
    scale: usize,
    like: Option<usize>,
) -> Result<(), Refusal> {
    let like = like.and_then(|like| optional(node, like));
    let zero = optional(node, scale + 1);
    cx.quantize(value, operand(node, scale)?, zero, like, result(node)?)
}

/// The scale of sums of products: that of the input times those of the weights, times `factor`.
fn sum_scale(
    cx: &mut Rewriter<'_>,
    input: &str,
    weights: &str,
    factor: f32,
) -> Result<String, Refusal> {
    let &[input] = &*cx.f32s(input)? else {
        return Err(not_constant(input));
    };
    let scales: Vec<f32> = cx.f32s(weights)?;
    let scales: Vec<f32> = scales.iter().map(|scale| input * scale * factor).collect();
    let dims = match &*scales {
        [_] => Vec::new(),
        _ => vec![scales.len() as i64],
    };
    let tensor: TensorProto = tensor::of_f32s("", &dims, &scales);
    Ok(cx.add_constant(tensor))
}

/// `x` as the operators of ONNX read it, where the node has channels last.
fn channels_first(
    cx: &mut Rewriter<'_>,
    node: &NodeProto,
    x: String,
    rank: Option<usize>,
) -> Result<String, Refusal> {
    transposed(cx, node, x, rank, |rank| {
        [0, rank - 1].into_iter().chain(1..rank - 1).collect()
    })
}

/// `y` as the node has it, where that is with channels last.
fn channels_last(
    cx: &mut Rewriter<'_>,
    node: &NodeProto,
    y: String,
    rank: Option<usize>,
) -> Result<String, Refusal> {
    transposed(cx, node, y, rank, |rank| {
        [0].into_iter().chain(2..rank).chain([1]).collect()
    })
}

fn transposed(
    cx: &mut Rewriter<'_>,
    node: &NodeProto,
    value: String,
    rank: Option<usize>,
    order: fn(i64) -> Vec<i64>,
) -> Result<String, Refusal> {
    if int_of(node, "channels_last", 0) == 0 {
        return Ok(value);
    }
    let rank = rank.filter(|rank| (3..=5).contains(rank));
    let rank = rank.ok_or_else(|| Refusal::Attribute {
        attribute: "channels_last",
        value: "1 of a value whose rank the model does not state".into(),
    })?;
    let perm = ints("perm", &order(rank as i64));
    Ok(cx.value("Transpose", &[&value], vec![perm]))
}
