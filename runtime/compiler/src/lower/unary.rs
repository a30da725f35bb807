//! Functions of one number, and questions about one.

use super::Lowering;
use crate::error::Refusal;
use crate::graph::Kind;
use crate::import::source::SourceNode;
use crate::ops::cast::Predicate;
use crate::ops::unary::Unary;
use crate::report::Fate;
use microtome_kernels::float::predicate::PredicateKind;
use microtome_kernels::float::unary::{Function, UnaryKind};

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let function = function(node)?;
    let input = cx.operand(node, 0)?;
    if cx.graph.edge(input.edge).kind != Kind::Real {
        return Err(Refusal::Type {
            value: cx.name(node, 0)?,
            found: "integers or truth values",
        });
    }
    let layout = input.layout.clone();
    cx.add_node(node, Unary(function), &[&input], layout)
}

/// The function of an ONNX operator, with ONNX's defaults for its attributes.
fn function(node: &SourceNode) -> Result<Function, Refusal> {
    let attribute = |name, default| node.attributes.float(name, default);
    let of = |kind, alpha, beta| Function { kind, alpha, beta };
    let plain = Function::plain;
    Ok(match &*node.op {
        "Abs" => plain(UnaryKind::Abs),
        "Acos" => plain(UnaryKind::Acos),
        "Acosh" => plain(UnaryKind::Acosh),
        "Asin" => plain(UnaryKind::Asin),
        "Asinh" => plain(UnaryKind::Asinh),
        "Atan" => plain(UnaryKind::Atan),
        "Atanh" => plain(UnaryKind::Atanh),
        "Ceil" => plain(UnaryKind::Ceil),
        "Cos" => plain(UnaryKind::Cos),
        "Cosh" => plain(UnaryKind::Cosh),
        "Erf" => plain(UnaryKind::Erf),
        "Exp" => plain(UnaryKind::Exp),
        "Floor" => plain(UnaryKind::Floor),
        "HardSwish" => plain(UnaryKind::HardSwish),
        "Log" => plain(UnaryKind::Log),
        "Mish" => plain(UnaryKind::Mish),
        "Neg" => plain(UnaryKind::Neg),
        "Reciprocal" => plain(UnaryKind::Reciprocal),
        "Round" => plain(UnaryKind::Round),
        "Sigmoid" => plain(UnaryKind::Sigmoid),
        "Sign" => plain(UnaryKind::Sign),
        "Sin" => plain(UnaryKind::Sin),
        "Sinh" => plain(UnaryKind::Sinh),
        "Softplus" => plain(UnaryKind::Softplus),
        "Softsign" => plain(UnaryKind::Softsign),
        "Sqrt" => plain(UnaryKind::Sqrt),
        "Tan" => plain(UnaryKind::Tan),
        "Tanh" => plain(UnaryKind::Tanh),
        "Celu" => of(UnaryKind::Celu, attribute("alpha", 1.0)?, 0.0),
        "Elu" => of(UnaryKind::Elu, attribute("alpha", 1.0)?, 0.0),
        "LeakyRelu" => of(UnaryKind::LeakyRelu, attribute("alpha", 0.01)?, 0.0),
        "ThresholdedRelu" => of(UnaryKind::ThresholdedRelu, attribute("alpha", 1.0)?, 0.0),
        "Swish" => of(UnaryKind::Swish, attribute("alpha", 1.0)?, 0.0),
        "HardSigmoid" => of(
            UnaryKind::HardSigmoid,
            attribute("alpha", 0.2)?,
            attribute("beta", 0.5)?,
        ),
        "Selu" => of(
            UnaryKind::Selu,
            attribute("alpha", 1.673_263_2)?,
            attribute("gamma", 1.050_701)?,
        ),
        "Shrink" => of(
            UnaryKind::Shrink,
            attribute("lambd", 0.5)?,
            attribute("bias", 0.0)?,
        ),
        "Gelu" => match node.attributes.text("approximate", "none")? {
            "tanh" => plain(UnaryKind::GeluTanh),
            _ => plain(UnaryKind::Gelu),
        },
        _ => return Err(Refusal::Operator),
    })
}

pub(super) fn lower_predicate(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let kind = match &*node.op {
        "IsNaN" => PredicateKind::IsNan,
        _ => PredicateKind::IsInf {
            positive: node.attributes.int("detect_positive", 1)? != 0,
            negative: node.attributes.int("detect_negative", 1)? != 0,
        },
    };
    let input = cx.operand(node, 0)?;
    let layout = input.layout.clone();
    cx.add_node_of(node, Kind::Truth, Predicate(kind), &[&input], layout)
}
