//! `Transpose`: the same memory with the axes in another order. Who reads it decides whether that
//! order can be read; nothing is copied.

use super::Lowering;
use super::operand::Activation;
use crate::error::Refusal;
use crate::import::source::SourceNode;
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let input = cx.activation(node, 0)?;
    let dims = cx.input_dims(node, 0)?;
    let perm: Vec<usize> = match node.attributes.ints("perm")? {
        Some(perm) => perm.iter().map(|&axis| axis as usize).collect(),
        None => (0..dims.len()).rev().collect(),
    };
    let is_permutation =
        perm.len() == dims.len() && (0..dims.len()).all(|axis| perm.contains(&axis));
    if !is_permutation {
        return Err(Refusal::Shape {
            found: vec![dims.into(), perm],
        });
    }
    let Some(layout) = input.layout.on(dims) else {
        return Err(Refusal::Layout {
            value: cx.name(node, 0)?,
        });
    };
    let layout = layout.transpose(&perm);
    cx.alias(node, Activation { layout, ..input })
}
