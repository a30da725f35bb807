//! `Relu` and `Clip` (Relu6): fused into the operator before them where no quantizer stands
//! between, else a clamp of their own.

use super::Lowering;
use crate::error::Refusal;
use crate::graph::{Bounds, NodeId};
use crate::import::source::{SourceNode, ValueId};
use crate::ops::requantize::Requantize;
use crate::report::Fate;

pub(super) fn lower_relu(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let bounds = Bounds {
        min: 0.0,
        ..Bounds::NONE
    };
    lower(cx, node, bounds)
}

pub(super) fn lower_clip(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    // Bounds are attributes up to opset 10, and operands after it.
    let min = f64::from(node.attributes.float("min", f32::NEG_INFINITY)?);
    let max = f64::from(node.attributes.float("max", f32::INFINITY)?);
    let bounds = Bounds {
        min: cx.real(node, 1)?.unwrap_or(min),
        max: cx.real(node, 2)?.unwrap_or(max),
    };
    if bounds.min <= bounds.max {
        lower(cx, node, bounds)
    } else {
        Err(Refusal::Attribute {
            attribute: "min",
            value: format!("{} above max = {}", bounds.min, bounds.max),
        })
    }
}

fn lower(cx: &mut Lowering<'_>, node: &SourceNode, bounds: Bounds) -> Result<Fate, Refusal> {
    let input = cx.operand(node, 0)?;
    let edge = cx.graph.edge(input.edge);
    if let Some(quantization) = edge.quantization
        && bounds.quantize(quantization) == (i8::MIN, i8::MAX)
    {
        // The quantizer has clamped to these bounds already.
        return cx.alias(node, input);
    }
    let takes_bounds = |producer: &NodeId| cx.graph.nodes[producer.0].op.get().takes_bounds();
    match edge.producer.filter(takes_bounds) {
        Some(producer) if edge.quantization.is_none() && is_only_use(cx, cx.input(node, 0)?) => {
            let edge = cx.graph.edge_mut(input.edge);
            edge.bounds = edge.bounds.then(bounds);
            fuse(cx, node, producer);
            cx.alias(node, input)?;
            Ok(Fate::FusedInto(producer.0))
        }
        _ => {
            let layout = input.layout.clone();
            let fate = cx.add_node(node, Requantize, &[&input], layout)?;
            let output = cx.output(node)?;
            let clamped = cx.bound_activation(output)?.edge;
            cx.graph.edge_mut(clamped).bounds = bounds;
            Ok(fate)
        }
    }
}

/// Whether nobody else reads the edge of `value`: it has one use, and no view lies between.
pub(super) fn is_only_use(cx: &Lowering<'_>, value: ValueId) -> bool {
    let is_whole_edge = cx
        .bound_activation(value)
        .is_ok_and(|it| cx.graph.edge(it.edge).name == cx.source.value(value).name);
    is_whole_edge && cx.uses[value.0] == 1
}

/// Makes `node` the last source node of `producer`, whose edge then has the name of its result.
pub(super) fn fuse(cx: &mut Lowering<'_>, node: &SourceNode, producer: NodeId) {
    let graph_node = &mut cx.graph.nodes[producer.0];
    graph_node.name.clone_from(&node.name);
    let edge = graph_node.outputs[0];
    if let Some(&Some(output)) = node.outputs.first() {
        let name = &cx.source.value(output).name;
        cx.graph.edge_mut(edge).name.clone_from(name);
    }
}
