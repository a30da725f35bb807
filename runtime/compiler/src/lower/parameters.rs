//! What operators state beside their activations: an axis, constant numbers; and operands as views
//! over the axes that the model names.

use super::Lowering;
use super::operand::{Activation, Binding};
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::{Elements, SourceNode};

/// Attribute `name`, an axis of `rank`, which counts from the end if it is negative.
pub(super) fn axis(
    node: &SourceNode,
    name: &'static str,
    default: i64,
    rank: usize,
) -> Result<usize, Refusal> {
    let stated = node.attributes.int(name, default)?;
    wrapped(stated, rank).ok_or_else(|| Refusal::Attribute {
        attribute: name,
        value: stated.to_string(),
    })
}

/// The axis of `rank` that `axis` names, from the end if it is negative.
pub(super) fn wrapped(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(axis).ok().filter(|&axis| axis < rank)
}

/// `layout`, or row-major memory where its axes are not `dims`, with `axes` moved innermost, in
/// their order.
pub(super) fn with_innermost(layout: &Layout, dims: &[usize], axes: &[usize]) -> Layout {
    let own = layout.on(dims).unwrap_or_else(|| Layout::row_major(dims));
    let outer = own.order.iter().copied().filter(|it| !axes.contains(it));
    Layout {
        dims: dims.into(),
        order: outer.chain(axes.iter().copied()).collect(),
    }
}

impl Lowering<'_> {
    /// Whether there is an operand `operand`.
    pub(super) fn has(node: &SourceNode, operand: usize) -> bool {
        node.inputs.get(operand).copied().flatten().is_some()
    }

    /// Whether result `result` is there and somebody reads it.
    pub(super) fn is_used(&self, node: &SourceNode, result: usize) -> bool {
        let value = node.outputs.get(result).copied().flatten();
        value.is_some_and(|value| self.uses[value.0] > 0)
    }

    /// Operand `operand` as constant real numbers; `None` where it is an activation or left out.
    pub(super) fn reals(&self, node: &SourceNode, operand: usize) -> Option<Vec<f32>> {
        let id = node.inputs.get(operand).copied().flatten()?;
        match (&self.bindings[id.0], &self.source.value(id).constant) {
            (Some(Binding::Quantized(constant)), _) => {
                Some(constant.reals().iter().map(|&it| it as f32).collect())
            }
            (None, Some(Elements::F32(values))) => Some(values.clone()),
            _ => None,
        }
    }

    /// Operand `operand` in memory over the axes that the model names, in any order: by a copy
    /// only where a reshape has split or joined axes of another order.
    pub(super) fn strided(
        &mut self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<Activation, Refusal> {
        let activation = self.operand(node, operand)?;
        let dims = self.input_dims(node, operand)?;
        match activation.layout.on(dims) {
            Some(layout) => Ok(Activation {
                layout,
                ..activation
            }),
            None => {
                let layout = Layout::row_major(dims);
                self.laid_out(node, activation, &layout)
            }
        }
    }
}
