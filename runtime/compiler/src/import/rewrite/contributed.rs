//! onnxruntime's contributed operators on real numbers, as its optimizer and exporters leave them:
//! each becomes the standard operators that it stands for.

use super::rewriter::{
    Rewriter, attribute, attributes_but, float, float_of, int, int_of, ints, operand, optional,
    result, text,
};
use crate::error::Refusal;
use tract_onnx::pb::NodeProto;

/// `Gelu(x)`; the standard one may have another approximation.
pub(super) fn gelu(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let attributes = attributes_but(node, &[]);
    cx.emit("Gelu", &[operand(node, 0)?], result(node)?, attributes);
    Ok(())
}

/// `BiasGelu(x, bias)`.
pub(super) fn bias_gelu(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let sum = cx.value("Add", &[operand(node, 0)?, operand(node, 1)?], Vec::new());
    cx.emit("Gelu", &[&sum], result(node)?, Vec::new());
    Ok(())
}

/// `FastGelu(x, bias?)`: the approximation with a hyperbolic tangent.
pub(super) fn fast_gelu(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let x = operand(node, 0)?;
    let x = match optional(node, 1) {
        Some(bias) => cx.value("Add", &[x, bias], Vec::new()),
        None => x.into(),
    };
    let tanh = vec![text("approximate", "tanh")];
    cx.emit("Gelu", &[&x], result(node)?, tanh);
    Ok(())
}

/// `QuickGelu(x)`: `x · sigmoid(alpha · x)`.
pub(super) fn quick_gelu(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let x = operand(node, 0)?;
    let alpha = cx.add_real(float_of(node, "alpha", 1.702));
    let scaled = cx.value("Mul", &[x, &alpha], Vec::new());
    let gate = cx.value("Sigmoid", &[&scaled], Vec::new());
    cx.emit("Mul", &[x, &gate], result(node)?, Vec::new());
    Ok(())
}

/// `LayerNormalization`, which onnxruntime had before ONNX: the same under another domain.
pub(super) fn layer_norm(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    cx.nodes.push(NodeProto {
        domain: String::new(),
        ..node.clone()
    });
    Ok(())
}

/// `SimplifiedLayerNormalization(x, scale)`: root mean square normalization.
pub(super) fn rms_norm(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let inputs = [operand(node, 0)?, operand(node, 1)?];
    let attributes = vec![
        int("axis", int_of(node, "axis", -1)),
        float("epsilon", float_of(node, "epsilon", 1e-5)),
    ];
    cx.emit("RMSNormalization", &inputs, result(node)?, attributes);
    Ok(())
}

/// `SkipLayerNormalization(x, skip, gamma, beta?, bias?)`.
pub(super) fn skip_layer_norm(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let sum = skip(cx, node, 4)?;
    let mut inputs = vec![&*sum, operand(node, 2)?];
    inputs.extend(optional(node, 3));
    let attributes = normalization(node, 1e-12);
    cx.emit(
        "LayerNormalization",
        &inputs,
        first_result(node)?,
        attributes,
    );
    Ok(())
}

/// `SkipSimplifiedLayerNormalization(x, skip, gamma, bias?)`.
pub(super) fn skip_rms_norm(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let sum = skip(cx, node, 3)?;
    let inputs = [&*sum, operand(node, 2)?];
    let attributes = normalization(node, 1e-12);
    cx.emit("RMSNormalization", &inputs, first_result(node)?, attributes);
    Ok(())
}

fn normalization(node: &NodeProto, epsilon: f32) -> Vec<tract_onnx::pb::AttributeProto> {
    vec![
        int("axis", -1),
        float("epsilon", float_of(node, "epsilon", epsilon)),
    ]
}

/// The sum of `x`, `skip` and, at operand `bias`, a bias, which may be the fourth result.
fn skip(cx: &mut Rewriter<'_>, node: &NodeProto, bias: usize) -> Result<String, Refusal> {
    let made = |index: usize| node.output.get(index).filter(|name| !name.is_empty());
    if made(1).is_some() || made(2).is_some() {
        return Err(Refusal::TooMany {
            what: "results",
            found: node.output.len(),
            most: 1,
        });
    }
    let mut x = operand(node, 0)?.to_owned();
    if let Some(bias) = optional(node, bias) {
        x = cx.value("Add", &[&x, bias], Vec::new());
    }
    let sum = match made(3) {
        Some(sum) => sum.clone(),
        None => cx.fresh("value"),
    };
    cx.emit("Add", &[&x, operand(node, 1)?], &sum, Vec::new());
    Ok(sum)
}

fn first_result(node: &NodeProto) -> Result<&str, Refusal> {
    let name = node.output.first().filter(|name| !name.is_empty());
    Ok(name.ok_or(Refusal::OperandMissing { operand: 0 })?)
}

/// `FusedMatMul(a, b)`: transposes, a product and a factor.
pub(super) fn matmul(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    for name in ["transBatchA", "transBatchB"] {
        if int_of(node, name, 0) != 0 {
            return Err(Refusal::Attribute {
                attribute: name,
                value: "1".into(),
            });
        }
    }
    let a = transposed(cx, operand(node, 0)?, int_of(node, "transA", 0), "transA")?;
    let b = transposed(cx, operand(node, 1)?, int_of(node, "transB", 0), "transB")?;
    let alpha = float_of(node, "alpha", 1.0);
    if alpha == 1.0 {
        cx.emit("MatMul", &[&a, &b], result(node)?, Vec::new());
        return Ok(());
    }
    let product = cx.value("MatMul", &[&a, &b], Vec::new());
    let alpha = cx.add_real(alpha);
    cx.emit("Mul", &[&product, &alpha], result(node)?, Vec::new());
    Ok(())
}

/// `value` with its last two axes exchanged, if `exchange` says so.
fn transposed(
    cx: &mut Rewriter<'_>,
    value: &str,
    exchange: i64,
    attribute: &'static str,
) -> Result<String, Refusal> {
    if exchange == 0 {
        return Ok(value.into());
    }
    let rank = cx.rank(value).filter(|rank| (2..=8).contains(rank));
    let rank = rank.ok_or_else(|| Refusal::Attribute {
        attribute,
        value: "1 of a value whose rank the model does not state".into(),
    })?;
    let mut perm: Vec<i64> = (0..rank as i64).collect();
    perm.swap(rank - 2, rank - 1);
    Ok(cx.value("Transpose", &[value], vec![ints("perm", &perm)]))
}

/// `FusedConv(x, w, bias?, z?)`: a convolution, a sum and an activation.
pub(super) fn conv(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let mut inputs = vec![operand(node, 0)?, operand(node, 1)?];
    inputs.extend(optional(node, 2));
    let attributes = attributes_but(node, &["activation", "activation_params"]);
    let mut y = cx.value("Conv", &inputs, attributes);
    if let Some(z) = optional(node, 3) {
        y = cx.value("Add", &[&y, z], Vec::new());
    }
    let parameters = attribute(node, "activation_params").map(|it| &*it.floats);
    activation(cx, node, &y, parameters.unwrap_or_default())
}

/// `FusedGemm(a, b, c?)`: a dense layer and an activation.
pub(super) fn gemm(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    let names = [
        "activation",
        "activation_alpha",
        "activation_beta",
        "activation_gamma",
    ];
    let mut inputs = vec![operand(node, 0)?, operand(node, 1)?];
    inputs.extend(optional(node, 2));
    let y = cx.value("Gemm", &inputs, attributes_but(node, &names));
    let parameter = |name| attribute(node, name).map(|it| it.f);
    let parameters: Vec<f32> = names[1..]
        .iter()
        .map_while(|&name| parameter(name))
        .collect();
    activation(cx, node, &y, &parameters)
}

/// Makes the node's result of `y` by its activation.
fn activation(
    cx: &mut Rewriter<'_>,
    node: &NodeProto,
    y: &str,
    parameters: &[f32],
) -> Result<(), Refusal> {
    let name = attribute(node, "activation").map(|it| String::from_utf8_lossy(&it.s));
    let name = name.unwrap_or_default();
    let output = result(node)?;
    let at = |index: usize, default: f32| parameters.get(index).copied().unwrap_or(default);
    match &*name {
        "" => cx.emit("Identity", &[y], output, Vec::new()),
        "Relu" | "Sigmoid" | "Tanh" => cx.emit(&name, &[y], output, Vec::new()),
        "LeakyRelu" => cx.emit("LeakyRelu", &[y], output, vec![float("alpha", at(0, 0.01))]),
        "HardSigmoid" => {
            let attributes = vec![float("alpha", at(0, 0.2)), float("beta", at(1, 0.5))];
            cx.emit("HardSigmoid", &[y], output, attributes);
        }
        "Clip" if cx.opset < 11 => {
            let attributes = vec![float("min", at(0, f32::MIN)), float("max", at(1, f32::MAX))];
            cx.emit("Clip", &[y], output, attributes);
        }
        "Clip" => {
            let (min, max) = (at(0, f32::MIN), at(1, f32::MAX));
            let (min, max) = (cx.add_real(min), cx.add_real(max));
            cx.emit("Clip", &[y, &min, &max], output, Vec::new());
        }
        other => {
            return Err(Refusal::Attribute {
                attribute: "activation",
                value: other.into(),
            });
        }
    }
    Ok(())
}
