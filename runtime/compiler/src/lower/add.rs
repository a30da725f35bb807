//! `Add`: the sum of two activations, or the bias of the dense layer before it.

use super::Lowering;
use super::clamp::{fuse, is_only_use};
use super::operand::{Binding, Stage};
use crate::error::Refusal;
use crate::graph::Op;
use crate::import::source::SourceNode;
use crate::ops::add::Add;
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    for (operand, bias) in [(0, 1), (1, 0)] {
        let is_constant = !matches!(cx.binding(node, bias)?, Some(Binding::Activation(_)));
        if is_constant {
            return lower_bias(cx, node, operand, bias);
        }
    }
    let (a, b) = (cx.operand(node, 0)?, cx.operand(node, 1)?);
    let dims = cx.output_dims(node)?;
    let (a_dims, b_dims) = (cx.input_dims(node, 0)?, cx.input_dims(node, 1)?);
    if a_dims != dims || b_dims != dims {
        return Err(Refusal::Shape {
            found: vec![a_dims.into(), b_dims.into()],
        });
    }
    if !a.layout.same_memory(&b.layout) {
        return Err(Refusal::Layout {
            value: cx.name(node, 1)?,
        });
    }
    let layout = a.layout.clone();
    cx.add_node(node, Add, &[&a, &b], layout)
}

fn lower_bias(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    operand: usize,
    bias: usize,
) -> Result<Fate, Refusal> {
    let input = cx.activation(node, operand)?;
    let edge = cx.graph.edge(input.edge);
    let not_fused = Refusal::NotAnActivation {
        value: cx.name(node, bias)?,
    };
    let pending = input.stage == Stage::Real && edge.quantization.is_none();
    let only_use = is_only_use(cx, cx.input(node, operand)?);
    let Some(producer) = edge.producer.filter(|_| pending && only_use) else {
        return Err(not_fused);
    };
    let Op::Convolution(dense) = &cx.graph.nodes[producer.0].op else {
        return Err(not_fused);
    };
    // The last axis is the channels' after a dense layer, and not after a convolution.
    if edge.bounds != crate::graph::Bounds::NONE || cx.graph.nodes[producer.0].source_op == "Conv" {
        return Err(not_fused);
    }
    let values = cx.bias(node, bias, dense.output.channels)?;
    if let Op::Convolution(dense) = &mut cx.graph.nodes[producer.0].op {
        for (sum, value) in dense.bias.iter_mut().zip(values) {
            *sum += value;
        }
    }
    fuse(cx, node, producer);
    cx.alias(node, input)?;
    Ok(Fate::FusedInto(producer.0))
}
