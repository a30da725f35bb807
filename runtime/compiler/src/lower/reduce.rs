//! `ReduceSum`, `ReduceMean`, … and global pools: over any axes, in the operand's memory order.

use super::Lowering;
use super::average_pool;
use super::axes::{refused, without};
use super::operand::{Activation, spatial_shape};
use super::parameters::wrapped;
use crate::error::Refusal;
use crate::graph::{Kind, Layout};
use crate::import::source::SourceNode;
use crate::ops::reduce::Reduce;
use crate::report::Fate;
use microtome_kernels::float::reduce::ReduceKind;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let kind = match &*node.op {
        "ReduceSum" => ReduceKind::Sum,
        "ReduceMean" => ReduceKind::Mean,
        "ReduceMax" => ReduceKind::Max,
        "ReduceMin" => ReduceKind::Min,
        "ReduceProd" => ReduceKind::Prod,
        "ReduceL1" => ReduceKind::L1,
        "ReduceL2" => ReduceKind::L2,
        "ReduceLogSum" => ReduceKind::LogSum,
        "ReduceLogSumExp" => ReduceKind::LogSumExp,
        "ReduceSumSquare" => ReduceKind::SumSquare,
        _ => return Err(Refusal::Operator),
    };
    let input = cx.axes(node, 0)?;
    let Some(goes) = reduced(cx, node, input.layout.dims.len())? else {
        return cx.alias(node, input);
    };
    // The mean of rows and columns of an image is a pool, which instruction sets have kernels of.
    let dims = &input.layout.dims;
    let is_image = spatial_shape(dims).is_ok()
        && input.layout.same_memory(&Layout::channels_last(dims))
        && goes
            .iter()
            .enumerate()
            .all(|(axis, &goes)| goes == (axis >= 2));
    if kind == ReduceKind::Mean && is_image && cx.kind(&input) == Kind::Real {
        return average_pool::lower_mean(cx, node);
    }
    add(cx, node, kind, &input, &goes)
}

/// Which axes go; none is told of a node that reduces nothing.
fn reduced(
    cx: &Lowering<'_>,
    node: &SourceNode,
    rank: usize,
) -> Result<Option<Vec<bool>>, Refusal> {
    // Axes are an attribute in older operator sets, and an operand in later ones.
    let axes = cx.list(node, "axes", 1)?.unwrap_or_default();
    let mut goes = vec![axes.is_empty(); rank];
    if axes.is_empty() && node.attributes.int("noop_with_empty_axes", 0)? != 0 {
        goes.fill(false);
        let leaves = leaves_single_elements(&node.op);
        return Ok((!leaves).then_some(goes));
    }
    for &axis in &axes {
        let axis = wrapped(axis, rank).ok_or_else(|| refused("axes", &axes))?;
        goes[axis] = true;
    }
    Ok(Some(goes))
}

/// Whether the reduction of one element is that element.
fn leaves_single_elements(op: &str) -> bool {
    !matches!(
        op,
        "ReduceL1" | "ReduceL2" | "ReduceLogSum" | "ReduceSumSquare"
    )
}

/// Adds the reduction of the axes for which `goes` holds as the result of `node`.
fn add(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    kind: ReduceKind,
    input: &Activation,
    goes: &[bool],
) -> Result<Fate, Refusal> {
    let kinds: &[Kind] = match kind {
        ReduceKind::Max | ReduceKind::Min => &[Kind::Real, Kind::Truth],
        _ => &[Kind::Real],
    };
    cx.require_kind(node, 0, input, kinds)?;
    let order = input.layout.order.iter();
    let axes = order.map(|&axis| (input.layout.dims[axis], goes[axis]));
    let reduce = Reduce::new(kind, axes)?;
    let mut layout = input.layout.clone();
    for (dim, _) in layout.dims.iter_mut().zip(goes).filter(|(_, goes)| **goes) {
        *dim = 1;
    }
    if node.attributes.int("keepdims", 1)? == 0 {
        layout = without(&layout, |axis| goes[axis]);
    }
    let kind = cx.kind(input);
    cx.add_node_of(node, kind, reduce, &[input], layout)
}

/// Over all axes behind batch and channels.
fn global(cx: &mut Lowering<'_>, node: &SourceNode, kind: ReduceKind) -> Result<Fate, Refusal> {
    let input = cx.axes(node, 0)?;
    let goes: Vec<bool> = (0..input.layout.dims.len()).map(|axis| axis >= 2).collect();
    add(cx, node, kind, &input, &goes)
}

pub(super) fn lower_global_max(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    global(cx, node, ReduceKind::Max)
}

/// An image is pooled; what has a batch or more axes is reduced.
pub(super) fn lower_global_average(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
) -> Result<Fate, Refusal> {
    if spatial_shape(cx.input_dims(node, 0)?).is_ok() {
        return average_pool::lower_global(cx, node);
    }
    global(cx, node, ReduceKind::Mean)
}

pub(super) fn lower_global_lp(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    match node.attributes.int("p", 2)? {
        1 => global(cx, node, ReduceKind::L1),
        2 => global(cx, node, ReduceKind::L2),
        p => Err(refused("p", &p)),
    }
}
