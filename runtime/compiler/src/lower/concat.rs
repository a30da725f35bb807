//! `Concat`: operands one after another, all in the memory order of the first that is no constant.

use super::Lowering;
use super::axes::{Around, axis_of};
use super::operand::{Activation, Stage};
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
use crate::ops::concat::Concat;
use crate::report::Fate;
use microtome_kernels::operator::OPERANDS_MAX;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let rank = cx.output_dims(node)?.len();
    // Before opset 4, the axis had a default.
    let axis = axis_of(node.attributes.int("axis", 1)?, rank)?;
    let mut parts = Vec::new();
    for operand in 0..node.inputs.len() {
        let part = cx.movable(node, operand)?;
        // An operand without elements adds nothing.
        if part.layout.len() > 0 {
            parts.push(part);
        }
    }
    let Some(first) = parts.first() else {
        return Err(Refusal::OperandMissing { operand: 0 });
    };
    let (kind, stage) = (cx.kind(first), first.stage);
    let same = |part: &Activation| {
        let dims = &part.layout.dims;
        let mut axes = 0..rank;
        cx.kind(part) == kind
            && part.stage == stage
            && dims.len() == rank
            && axes.all(|it| it == axis || dims[it] == first.layout.dims[it])
    };
    if !parts.iter().all(same) {
        return Err(Refusal::Shape {
            found: parts.into_iter().map(|part| part.layout.dims).collect(),
        });
    }
    let order = order(cx, &parts, rank);
    for part in &mut parts {
        let layout = Layout {
            dims: part.layout.dims.clone(),
            order: order.clone(),
        };
        *part = cx.laid_out(node, part.clone(), &layout)?;
        (part.layout, part.stage) = (layout, stage);
    }
    while parts.len() > OPERANDS_MAX {
        let rest = parts.split_off(OPERANDS_MAX);
        let (op, layout) = joined(&parts, axis);
        let whole = cx.add_step(node, kind, op, &refs(&parts), layout)?;
        settle(cx, &parts, &whole);
        let whole = Activation { stage, ..whole };
        parts = [vec![whole], rest].concat();
    }
    let (op, layout) = joined(&parts, axis);
    let fate = cx.add_node_of(node, kind, op, &refs(&parts), layout)?;
    let output = cx.output(node)?;
    let whole = Activation {
        stage,
        ..cx.bound_activation(output)?
    };
    settle(cx, &parts, &whole);
    if stage == Stage::Quantized && cx.graph.edge(whole.edge).quantization.is_none() {
        return Err(Refusal::ScaleMismatch {
            value: cx.name(node, 1)?,
        });
    }
    cx.bind(output, whole);
    Ok(fate)
}

/// The order that most is in already: that of the first operand which is no constant and not in
/// the model's order.
fn order(cx: &Lowering<'_>, parts: &[Activation], rank: usize) -> Vec<usize> {
    let is_other = |part: &&Activation| {
        cx.graph.edge(part.edge).constant.is_none() && !part.layout.is_row_major()
    };
    let other = parts.iter().find(is_other);
    other.map_or_else(|| (0..rank).collect(), |part| part.layout.order.clone())
}

fn refs(parts: &[Activation]) -> Vec<&Activation> {
    parts.iter().collect()
}

fn joined(parts: &[Activation], axis: usize) -> (Concat, Layout) {
    let mut layout = parts[0].layout.clone();
    layout.dims[axis] = parts.iter().map(|part| part.layout.dims[axis]).sum();
    let around = Around::new(&parts[0].layout, axis);
    let inner = |part: &Activation| part.layout.dims[axis] * around.inner;
    let op = Concat {
        outer: around.outer,
        inner: parts.iter().map(inner).collect(),
    };
    (op, layout)
}

/// The result has the quantization that all operands have, if there is one.
fn settle(cx: &mut Lowering<'_>, parts: &[Activation], whole: &Activation) {
    let quantization = |part: &Activation| cx.graph.edge(part.edge).quantization;
    let first = quantization(&parts[0]);
    let one = parts.iter().all(|part| quantization(part) == first);
    cx.graph.edge_mut(whole.edge).quantization = first.filter(|_| one);
}
