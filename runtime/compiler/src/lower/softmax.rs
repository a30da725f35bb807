//! `Softmax`, `LogSoftmax` and `Hardmax` along any axis, which is made the innermost in memory.

use super::Lowering;
use super::parameters::{axis, with_innermost};
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
use crate::ops::softmax::Softmax;
use crate::report::Fate;
use microtome_kernels::float::softmax::SoftmaxKind;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    lower_kind(cx, node, SoftmaxKind::Softmax)
}

pub(super) fn lower_log(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    lower_kind(cx, node, SoftmaxKind::LogSoftmax)
}

pub(super) fn lower_hardmax(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    lower_kind(cx, node, SoftmaxKind::Hardmax)
}

fn lower_kind(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    kind: SoftmaxKind,
) -> Result<Fate, Refusal> {
    let dims = cx.input_dims(node, 0)?.to_vec();
    // Before opset 13 the operators joined all axes from `axis` on.
    let joins = cx.source.opset < 13;
    let axis = axis(node, "axis", if joins { 1 } else { -1 }, dims.len())?;
    let input = cx.operand(node, 0)?;
    let joined = joins && dims[axis + 1..].iter().any(|&dim| dim != 1);
    let (depth, layout) = if joined {
        (dims[axis..].iter().product(), Layout::row_major(&dims))
    } else {
        (dims[axis], with_innermost(&input.layout, &dims, &[axis]))
    };
    let input = cx.laid_out(node, input, &layout)?;
    let softmax = Softmax {
        kind,
        rows: layout.len() / depth.max(1),
        depth,
    };
    cx.add_node(node, softmax, &[&input], layout)
}
