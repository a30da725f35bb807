//! `Pad` in every mode, along any axes: its result has its input's quantization. Negative padding
//! is a slice before it.

use super::Lowering;
use super::axes::{last_axes, refused};
use super::operand::Activation;
use super::parameters::wrapped;
use super::slice::{Part, view};
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
use crate::ops::pad::{Filling, Pad};
use crate::report::Fate;

/// Most elements of padding at one end of an axis.
const PAD_MAX: i64 = 1 << 28;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let filling = match node.attributes.text("mode", "constant")? {
        "constant" => Filling::Value(value(cx, node)?),
        "edge" => Filling::Edge,
        "reflect" => Filling::Reflect,
        "wrap" => Filling::Wrap,
        mode => return Err(refused("mode", &mode)),
    };
    let input = cx.movable(node, 0)?;
    let pads = pads(cx, node, input.layout.dims.len())?;
    if pads.iter().all(|&pads| pads == [0, 0]) {
        return cx.alias(node, input);
    }
    let stage = input.stage;
    let input = Activation {
        stage,
        ..cropped(cx, node, input, &pads)?
    };
    let input = Activation {
        layout: outermost(&input.layout, &pads),
        ..input
    };
    let mut layout = input.layout.clone();
    for (dim, pads) in layout.dims.iter_mut().zip(&pads) {
        *dim += pads
            .iter()
            .map(|&pad| pad.max(0).unsigned_abs() as usize)
            .sum::<usize>();
    }
    if cx.output_dims(node)? != layout.dims {
        return Err(Refusal::Shape {
            found: vec![input.layout.dims, layout.dims],
        });
    }
    let in_memory = |of: &dyn Fn(usize) -> usize| {
        let axes: Vec<usize> = layout.order.iter().map(|&axis| of(axis)).collect();
        axes
    };
    // An image's batch of 1 is no axis, so that the others are its rows, columns and channels.
    let pad = Pad {
        input: last_axes(&in_memory(&|axis| input.layout.dims[axis]))?,
        output: last_axes(&in_memory(&|axis| layout.dims[axis]))?,
        before: {
            let before = in_memory(&|axis| pads[axis][0].max(0) as usize + 1);
            last_axes(&before)?.map(|before| before - 1)
        },
        filling,
    };
    cx.add_move(node, pad, &[&input], layout)
}

/// `layout` with the padded axes of size 1, which have no place in memory yet, outermost: a single
/// frame or pixel is padded with others like it.
fn outermost(layout: &Layout, pads: &[[i64; 2]]) -> Layout {
    let is_first = |axis: &usize| layout.dims[*axis] == 1 && pads[*axis] != [0, 0];
    let (first, rest): (Vec<usize>, Vec<usize>) = layout.order.iter().partition(|it| is_first(it));
    Layout {
        order: [first, rest].concat(),
        ..layout.clone()
    }
}

fn value(cx: &Lowering<'_>, node: &SourceNode) -> Result<f64, Refusal> {
    match cx.numbers(node, 2)?.as_deref() {
        None => Ok(node.attributes.float("value", 0.0)?.into()),
        Some([value]) => Ok(*value),
        Some(values) => Err(refused("constant_value", &values)),
    }
}

/// Padding before and after each axis.
fn pads(cx: &Lowering<'_>, node: &SourceNode, rank: usize) -> Result<Vec<[i64; 2]>, Refusal> {
    // Pads are an attribute up to opset 10, and an operand after it.
    let pads = cx.list(node, "pads", 1)?;
    let pads = pads.ok_or(Refusal::OperandMissing { operand: 1 })?;
    let axes = cx.whole_numbers(node, 3)?;
    let axes = axes.unwrap_or_else(|| (0..rank as i64).collect());
    let bounded = pads.iter().all(|pad| pad.abs() <= PAD_MAX);
    if pads.len() != 2 * axes.len() || !bounded {
        return Err(refused("pads", &pads));
    }
    let mut of_axes = vec![[0, 0]; rank];
    for (index, &axis) in axes.iter().enumerate() {
        let axis = wrapped(axis, rank).ok_or_else(|| refused("axes", &axes))?;
        of_axes[axis] = [pads[index], pads[axes.len() + index]];
    }
    Ok(of_axes)
}

/// What negative padding leaves.
fn cropped(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    input: Activation,
    pads: &[[i64; 2]],
) -> Result<Activation, Refusal> {
    if pads.iter().flatten().all(|&pad| pad >= 0) {
        return Ok(input);
    }
    let cut = |pad: i64| pad.min(0).unsigned_abs() as usize;
    let parts = input.layout.dims.iter().zip(pads);
    let parts: Vec<_> = parts
        .map(|(&dim, &[before, after])| Part {
            start: cut(before),
            len: dim.saturating_sub(cut(before) + cut(after)),
            step: 1,
        })
        .collect();
    let (view, layout): (_, Layout) = view(&input.layout, &parts)?;
    let kind = cx.kind(&input);
    cx.add_step(node, kind, view, &[&input], layout)
}
