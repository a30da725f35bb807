//! `CumSum`, `TopK`, `ArgMax`, `ArgMin`: along one axis, wherever it is in memory.

use super::Lowering;
use super::axes::{Around, axis_of, refused, without};
use crate::error::Refusal;
use crate::graph::Kind;
use crate::import::source::SourceNode;
use crate::ops::along::{ArgMax, CumSum, TopK};
use crate::report::Fate;

pub(super) fn lower_cum_sum(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let input = cx.axes(node, 0)?;
    cx.require_kind(node, 0, &input, &[Kind::Real, Kind::Integer])?;
    let axis = cx.whole_numbers(node, 1)?.unwrap_or_default();
    let &[axis] = &*axis else {
        return Err(refused("axis", &axis));
    };
    let axis = axis_of(axis, input.layout.dims.len())?;
    let Around { outer, len, inner } = Around::new(&input.layout, axis);
    let sums = CumSum {
        outer,
        len,
        inner,
        exclusive: node.attributes.int("exclusive", 0)? != 0,
        reverse: node.attributes.int("reverse", 0)? != 0,
    };
    let (kind, layout) = (cx.kind(&input), input.layout.clone());
    cx.add_node_of(node, kind, sums, &[&input], layout)
}

pub(super) fn lower_top_k(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let input = cx.axes(node, 0)?;
    cx.require_kind(node, 0, &input, &[Kind::Real])?;
    let axis = axis_of(node.attributes.int("axis", -1)?, input.layout.dims.len())?;
    // K is an attribute up to opset 9, and an operand after it.
    let k = match cx.whole_numbers(node, 1)?.as_deref() {
        Some(&[k]) => k,
        _ => node.attributes.int("k", 0)?,
    };
    let Around { outer, len, inner } = Around::new(&input.layout, axis);
    let taken = usize::try_from(k).ok().filter(|k| (1..=len).contains(k));
    let top = TopK {
        outer,
        len,
        inner,
        k: taken.ok_or_else(|| refused("k", &k))?,
        largest: node.attributes.int("largest", 1)? != 0,
    };
    let mut layout = input.layout.clone();
    layout.dims[axis] = top.k;
    let outputs = [(Kind::Real, layout.clone()), (Kind::Integer, layout)];
    cx.add_node_with(node, top, &[&input], &outputs)
}

pub(super) fn lower_arg_max(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    lower_arg(cx, node, true)
}

pub(super) fn lower_arg_min(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    lower_arg(cx, node, false)
}

fn lower_arg(cx: &mut Lowering<'_>, node: &SourceNode, maximum: bool) -> Result<Fate, Refusal> {
    let input = cx.axes(node, 0)?;
    cx.require_kind(node, 0, &input, &[Kind::Real])?;
    let axis = axis_of(node.attributes.int("axis", 0)?, input.layout.dims.len())?;
    let Around { outer, len, inner } = Around::new(&input.layout, axis);
    let arg = ArgMax {
        outer,
        len,
        inner,
        maximum,
        last: node.attributes.int("select_last_index", 0)? != 0,
    };
    let mut layout = input.layout.clone();
    layout.dims[axis] = 1;
    if node.attributes.int("keepdims", 1)? == 0 {
        layout = without(&layout, |it| it == axis);
    }
    cx.add_node_of(node, Kind::Integer, arg, &[&input], layout)
}
