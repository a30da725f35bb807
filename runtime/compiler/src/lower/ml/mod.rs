//! Classical models, `ai.onnx.ml`: linear ones, scalers, decision trees.
//!
//! A classifier's label is the class of the largest score, the first of equals; classes that are
//! named by texts have scores only.

mod linear;
mod trees;

pub(super) use linear::{lower_classifier, lower_normalizer, lower_regressor, lower_scaler};
pub(super) use trees::{lower_tree_classifier, lower_tree_regressor};

use super::Lowering;
use super::operand::Activation;
use crate::error::Refusal;
use crate::graph::{Constant, Kind, Layout, Op};
use crate::import::source::SourceNode;
use crate::ops::along::ArgMax;
use crate::ops::convolution::{Convolution, Weights};
use crate::ops::gather::Gather;
use crate::ops::softmax::Softmax;
use crate::ops::unary::Unary;
use crate::report::Fate;
use microtome_kernels::float::softmax::SoftmaxKind;
use microtome_kernels::float::unary::{Function, UnaryKind};
use microtome_kernels::num::{Shape, Window};

/// Rows and features of the first operand, `[rows, features]` or `[features]`.
fn table(cx: &Lowering<'_>, node: &SourceNode) -> Result<[usize; 2], Refusal> {
    match *cx.input_dims(node, 0)? {
        [features] => Ok([1, features]),
        [rows, features] => Ok([rows, features]),
        ref other => Err(Refusal::Shape {
            found: vec![other.into()],
        }),
    }
}

/// A dense layer of `rows` rows.
fn dense([rows, inputs]: [usize; 2], weights: Vec<f32>, bias: Vec<f64>) -> Convolution {
    let shape = |channels| Shape {
        height: rows,
        width: 1,
        channels,
    };
    Convolution {
        input: shape(inputs),
        output: shape(bias.len()),
        window: Window {
            kernel: [1, 1],
            stride: [1, 1],
            dilation: [1, 1],
            pad: [0, 0],
        },
        groups: 1,
        weights: Weights::Float(weights),
        bias,
    }
}

/// `node` with result `result` alone.
fn only(node: &SourceNode, result: usize) -> SourceNode {
    SourceNode {
        outputs: node.outputs.get(result).copied().into_iter().collect(),
        ..node.clone()
    }
}

/// The scores that `op` makes of `input`, as a step.
fn raw_scores(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    op: impl Into<Op>,
    input: &Activation,
    dims: [usize; 2],
) -> Result<Activation, Refusal> {
    cx.add_step(node, Kind::Real, op, &[input], Layout::row_major(&dims))
}

/// Result `result`: the scores after the attribute `post_transform`.
fn transformed(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    scores: &Activation,
    [rows, depth]: [usize; 2],
    result: usize,
) -> Result<Fate, Refusal> {
    let layout = scores.layout.clone();
    let node = only(node, result);
    match node.attributes.text("post_transform", "NONE")? {
        "NONE" => cx.alias(&node, scores.clone()),
        "SOFTMAX" => {
            let kind = SoftmaxKind::Softmax;
            cx.add_node(&node, Softmax { kind, rows, depth }, &[scores], layout)
        }
        "LOGISTIC" => {
            let logistic = Unary(Function::plain(UnaryKind::Sigmoid));
            cx.add_node(&node, logistic, &[scores], layout)
        }
        other => Err(Refusal::Attribute {
            attribute: "post_transform",
            value: other.into(),
        }),
    }
}

/// The labels of a classifier: how many classes, and their numbers if they have any.
fn classes(node: &SourceNode) -> Result<(usize, Option<Vec<i64>>), Refusal> {
    let ints = match node.attributes.ints("classlabels_ints")? {
        Some(ints) => Some(ints),
        None => node.attributes.ints("classlabels_int64s")?,
    };
    match ints {
        Some(ints) if !ints.is_empty() => Ok((ints.len(), Some(ints.into()))),
        _ => Ok((node.attributes.texts("classlabels_strings")?.len(), None)),
    }
}

/// Both results of a classifier of `scores`.
fn classified(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    scores: &Activation,
    [rows, len]: [usize; 2],
    labels: Option<Vec<i64>>,
) -> Result<Fate, Refusal> {
    let fate = if cx.is_used(node, 1) {
        Some(transformed(cx, node, scores, [rows, len], 1)?)
    } else {
        None
    };
    if !cx.is_used(node, 0) {
        return Ok(fate.unwrap_or(Fate::Unused));
    }
    let labels = labels.ok_or(Refusal::Type {
        value: node.name.clone(),
        found: "text",
    })?;
    let place = ArgMax {
        outer: rows,
        len,
        inner: 1,
        maximum: true,
        last: false,
    };
    let (node, layout) = (only(node, 0), Layout::row_major(&[rows]));
    let in_order = labels.iter().zip(0..).all(|(&label, at)| label == at);
    if in_order {
        return cx.add_node_of(&node, Kind::Integer, place, &[scores], layout);
    }
    let place = cx.add_step(&node, Kind::Integer, place, &[scores], layout.clone())?;
    let numbers: Result<Vec<i32>, _> = labels.iter().map(|&it| i32::try_from(it)).collect();
    let numbers = numbers.map_err(|_| Refusal::Attribute {
        attribute: "classlabels_ints",
        value: format!("{labels:?}"),
    })?;
    let edge = cx.graph.add_edge(&node.name, Kind::Integer, len);
    cx.graph.edge_mut(edge).constant = Some(Constant::Integer(numbers));
    let numbers = Activation::real(edge, Layout::row_major(&[len]));
    let gather = Gather {
        outer: 1,
        axis_len: len,
        inner: 1,
    };
    cx.add_node_of(&node, Kind::Integer, gather, &[&numbers, &place], layout)
}
