//! `Add`: the sum of two activations, or the bias of the dense layer before it.

use super::clamp::{fuse, is_only_use};
use super::operand::Binding;
use super::{Lowering, elementwise};
use crate::error::Refusal;
use crate::graph::{Bounds, Op};
use crate::import::source::SourceNode;
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    for (operand, bias) in [(0, 1), (1, 0)] {
        let is_constant = !matches!(cx.binding(node, bias)?, Some(Binding::Activation(_)));
        if is_constant && let Some(fate) = lower_bias(cx, node, operand, bias)? {
            return Ok(fate);
        }
    }
    elementwise::lower_binary(cx, node)
}

/// Adds a constant to the bias of the dense layer before it; `None` where there is none.
fn lower_bias(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    operand: usize,
    bias: usize,
) -> Result<Option<Fate>, Refusal> {
    let Some(Binding::Activation(input)) = cx.binding(node, operand)?.cloned() else {
        return Ok(None);
    };
    let edge = cx.graph.edge(input.edge);
    let pending = edge.quantization.is_none() && edge.bounds == Bounds::NONE;
    let only_use = is_only_use(cx, cx.input(node, operand)?);
    let Some(producer) = edge.producer.filter(|_| pending && only_use) else {
        return Ok(None);
    };
    let producing = &cx.graph.nodes[producer.0];
    let Op::Convolution(dense) = &producing.op else {
        return Ok(None);
    };
    // The last axis is the channels' after a dense layer, and not after a convolution.
    let channels = dense.output.channels;
    let dims = cx.input_dims(node, bias)?;
    let fits = dims.iter().product::<usize>() == 1 || dims.last() == Some(&channels);
    let is_vector = dims.iter().rev().skip(1).all(|&dim| dim == 1);
    if producing.source_op == "Conv" || !fits || !is_vector {
        return Ok(None);
    }
    let input_edge = producing.inputs[0];
    let sums = cx.sum_scales(input_edge, &dense.weights, channels);
    let values = cx.bias(node, bias, &sums)?;
    if let Op::Convolution(dense) = &mut cx.graph.nodes[producer.0].op {
        for (sum, value) in dense.bias.iter_mut().zip(values) {
            *sum += value;
        }
    }
    fuse(cx, node, producer);
    cx.alias(node, input)?;
    Ok(Some(Fate::FusedInto(producer.0)))
}
