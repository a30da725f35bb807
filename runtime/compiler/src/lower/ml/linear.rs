//! Linear models and scalers: dense layers.

use super::super::Lowering;
use super::super::batch_norm::Affine;
use super::super::norm::lower_lp;
use super::{classes, classified, dense, raw_scores, table, transformed};
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
use crate::report::Fate;

fn misfit(attribute: &'static str, found: usize) -> Refusal {
    Refusal::Attribute {
        attribute,
        value: format!("{found} numbers"),
    }
}

/// Coefficients and intercepts of `outputs` sums of `features`.
fn parameters(
    node: &SourceNode,
    outputs: usize,
    features: usize,
) -> Result<(Vec<f32>, Vec<f64>), Refusal> {
    let weights = node.attributes.floats("coefficients")?.to_vec();
    let bias = node.attributes.floats("intercepts")?;
    if outputs == 0 || weights.len() != outputs * features {
        return Err(misfit("coefficients", weights.len()));
    }
    match bias.len() {
        0 => Ok((weights, vec![0.0; outputs])),
        len if len == outputs => Ok((weights, bias.iter().map(|&it| it.into()).collect())),
        len => Err(misfit("intercepts", len)),
    }
}

pub(in super::super) fn lower_regressor(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
) -> Result<Fate, Refusal> {
    let [rows, features] = table(cx, node)?;
    let targets = usize::try_from(node.attributes.int("targets", 1)?).unwrap_or(0);
    let (weights, bias) = parameters(node, targets, features)?;
    let input = cx.row_major(node, 0)?;
    let layer = dense([rows, features], weights, bias);
    let scores = raw_scores(cx, node, layer, &input, [rows, targets])?;
    transformed(cx, node, &scores, [rows, targets], 0)
}

pub(in super::super) fn lower_classifier(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
) -> Result<Fate, Refusal> {
    let [rows, features] = table(cx, node)?;
    let (count, labels) = classes(node)?;
    let (weights, bias) = parameters(node, count, features)?;
    let input = cx.row_major(node, 0)?;
    let layer = dense([rows, features], weights, bias);
    let scores = raw_scores(cx, node, layer, &input, [rows, count])?;
    classified(cx, node, &scores, [rows, count], labels)
}

/// `(x − offset) · scale`, each of one number or one a feature.
pub(in super::super) fn lower_scaler(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
) -> Result<Fate, Refusal> {
    let [rows, features] = table(cx, node)?;
    let each = |name: &'static str, default: f64| -> Result<Vec<f64>, Refusal> {
        let values = node.attributes.floats(name)?;
        match *values {
            [] => Ok(vec![default; features]),
            [value] => Ok(vec![value.into(); features]),
            _ if values.len() == features => Ok(values.iter().map(|&it| it.into()).collect()),
            _ => Err(misfit(name, values.len())),
        }
    };
    let (offsets, factors) = (each("offset", 0.0)?, each("scale", 1.0)?);
    let summands = offsets.iter().zip(&factors);
    let affine = Affine {
        summands: summands.map(|(offset, factor)| -offset * factor).collect(),
        factors,
    };
    let input = cx.row_major(node, 0)?;
    let layout = Layout::row_major(cx.input_dims(node, 0)?);
    cx.add_node(node, affine.convolution(rows), &[&input], layout)
}

pub(in super::super) fn lower_normalizer(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
) -> Result<Fate, Refusal> {
    match node.attributes.text("norm", "MAX")? {
        "L2" => lower_lp(cx, node),
        other => Err(Refusal::Attribute {
            attribute: "norm",
            value: other.into(),
        }),
    }
}
