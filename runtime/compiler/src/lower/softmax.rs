//! `Softmax` over the axis that is innermost in memory.

use super::Lowering;
use crate::error::Refusal;
use crate::import::source::SourceNode;
use crate::ops::softmax::Softmax;
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let activation = cx.operand(node, 0)?;
    let dims = cx.input_dims(node, 0)?;
    let rank = dims.len() as i64;
    // Before opset 13 the operator joined all axes from `axis` on.
    let joins = cx.source.opset < 13;
    let axis = node.attributes.int("axis", if joins { 1 } else { -1 })?;
    let axis = usize::try_from(if axis < 0 { axis + rank } else { axis }).unwrap_or(usize::MAX);
    let refused = || Refusal::Attribute {
        attribute: "axis",
        value: axis.to_string(),
    };
    let &depth = dims.get(axis).ok_or_else(refused)?;
    if joins && dims[axis + 1..].iter().any(|&dim| dim != 1) {
        return Err(refused());
    }
    let layout = activation.layout.on(dims);
    let innermost = layout.as_ref().and_then(|layout| {
        let mut inwards = layout.order.iter().rev();
        inwards.find(|&&it| layout.dims[it] != 1).copied()
    });
    if depth != 1 && innermost != Some(axis) {
        return Err(Refusal::Layout {
            value: cx.name(node, 0)?,
        });
    }
    let softmax = Softmax {
        rows: activation.layout.len() / depth.max(1),
        depth,
    };
    let layout = activation.layout.clone();
    cx.add_node(node, softmax, &[&activation], layout)
}
