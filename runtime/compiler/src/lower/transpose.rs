//! `Transpose`: the same memory with the axes in another order. Who reads it decides whether that
//! order can be read; nothing is copied.

use super::Lowering;
use super::operand::{Activation, Binding, QuantizedConstant, QuantizedValues};
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let dims = cx.input_dims(node, 0)?.to_vec();
    let perm: Vec<usize> = match node.attributes.ints("perm")? {
        Some(perm) => perm.iter().map(|&axis| axis as usize).collect(),
        None => (0..dims.len()).rev().collect(),
    };
    let is_permutation =
        perm.len() == dims.len() && (0..dims.len()).all(|axis| perm.contains(&axis));
    if !is_permutation {
        return Err(Refusal::Shape {
            found: vec![dims, perm],
        });
    }
    if let Some(Binding::Quantized(constant)) = cx.binding(node, 0)? {
        let transposed = transposed(constant, &perm);
        let output = cx.output(node)?;
        cx.bindings[output.0] = Some(Binding::Quantized(transposed));
        return Ok(Fate::Folded);
    }
    let input = match cx.binding(node, 0)? {
        Some(Binding::Activation(activation)) => activation.clone(),
        _ => cx.operand(node, 0)?,
    };
    let stage = input.stage;
    let input = cx.on_axes(node, input, &dims)?;
    let layout = input.layout.transpose(&perm);
    let transposed = Activation {
        layout,
        stage,
        ..input
    };
    cx.alias(node, transposed)
}

/// The constant with its elements in the new order.
fn transposed(constant: &QuantizedConstant, perm: &[usize]) -> QuantizedConstant {
    let order = Layout {
        dims: constant.dims.clone(),
        order: perm.to_vec(),
    };
    let order = order.model_indices();
    let values = match &constant.values {
        QuantizedValues::I8(values) => {
            QuantizedValues::I8(order.iter().map(|&at| values[at]).collect())
        }
        QuantizedValues::I32(values) => {
            QuantizedValues::I32(order.iter().map(|&at| values[at]).collect())
        }
    };
    let axis = perm.iter().position(|&it| it == constant.axis);
    QuantizedConstant {
        dims: perm.iter().map(|&axis| constant.dims[axis]).collect(),
        values,
        scales: constant.scales.clone(),
        zeros: constant.zeros.clone(),
        axis: axis.unwrap_or(0),
    }
}
