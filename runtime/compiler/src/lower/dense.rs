//! `Gemm` and `MatMul` with constant weights: a dense layer, as a 1×1 convolution.

use super::Lowering;
use super::operand::Activation;
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
use crate::ops::convolution::Convolution;
use crate::report::Fate;
use microtome_kernels::num::{Shape, Window};

pub(super) fn lower_gemm(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    node.attributes.require_int("transA", 0)?;
    for factor in ["alpha", "beta"] {
        let value = node.attributes.float(factor, 1.0)?;
        if value != 1.0 {
            return Err(Refusal::Attribute {
                attribute: factor,
                value: value.to_string(),
            });
        }
    }
    let transposed = node.attributes.int("transB", 0)? != 0;
    lower(cx, node, transposed, Some(2))
}

pub(super) fn lower_matmul(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    lower(cx, node, false, None)
}

/// `weights_transposed`: the weights are `[outputs, inputs]` and not `[inputs, outputs]`.
fn lower(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    weights_transposed: bool,
    bias: Option<usize>,
) -> Result<Fate, Refusal> {
    let activation = cx.operand(node, 0)?;
    let dims = cx.input_dims(node, 0)?;
    let output_dims = cx.output_dims(node)?;
    let (weights_dims, weights) = cx.weights(node, 1)?;
    let misfit = || Refusal::Shape {
        found: vec![dims.into(), weights_dims.clone()],
    };
    let (outputs, inputs) = match (&*weights_dims, weights_transposed) {
        (&[outputs, inputs], true) | (&[inputs, outputs], false) => (outputs, inputs),
        _ => return Err(misfit()),
    };
    let channel_axis = if weights_transposed { 0 } else { 1 };
    if dims.last() != Some(&inputs) || output_dims.last() != Some(&outputs) || inputs == 0 {
        return Err(misfit());
    }
    let rows = activation.layout.len() / inputs;
    let places = input_places(cx, node, &activation, rows)?;
    let index = |output: usize, input: usize| {
        if weights_transposed {
            output * inputs + input
        } else {
            input * outputs + output
        }
    };
    let order = (0..outputs).flat_map(|output| places.iter().map(move |&at| index(output, at)));
    let shape = |channels| Shape {
        height: rows,
        width: 1,
        channels,
    };
    let dense = Convolution {
        input: shape(inputs),
        output: shape(outputs),
        window: Window {
            kernel: [1, 1],
            stride: [1, 1],
            dilation: [1, 1],
            pad: [0, 0],
        },
        groups: 1,
        weights: weights
            .arranged(channel_axis, outputs, order)
            .ok_or_else(misfit)?,
        bias: match bias {
            Some(operand) => cx.bias(node, operand, outputs)?,
            None => vec![0.0; outputs],
        },
    };
    let layout = Layout::row_major(output_dims);
    cx.add_node(node, dense, &[&activation], layout)
}

/// For each place of a row in memory, the model's index of the feature there: a flattened image
/// is channels last in memory, and its weights are put into that order.
fn input_places(
    cx: &Lowering<'_>,
    node: &SourceNode,
    activation: &Activation,
    rows: usize,
) -> Result<Vec<usize>, Refusal> {
    let layout = &activation.layout;
    if rows == 1 {
        return Ok(layout.model_indices());
    }
    if !layout.same_memory(&Layout::row_major(&layout.dims)) {
        return Err(Refusal::Layout {
            value: cx.name(node, 0)?,
        });
    }
    Ok((0..layout.len() / rows).collect())
}
