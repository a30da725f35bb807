//! `QuantizeLinear`: quantizes the edge before it, or changes the scale of a quantized one.

use super::Lowering;
use super::operand::{Activation, Stage};
use crate::error::Refusal;
use crate::graph::{NodeId, Quantization};
use crate::import::source::{Element, SourceNode};
use crate::ops::requantize::Requantize;
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let input = cx.activation(node, 0)?;
    let output = cx.output(node)?;
    let integers = cx.source.value(output);
    let is_byte = matches!(integers.element, Element::I8 | Element::U8);
    if input.stage == Stage::Quantized || !is_byte {
        return Err(Refusal::Type {
            value: integers.name.clone(),
            found: integers.element.name(),
        });
    }
    let wanted = cx.quantizer(node, output)?.per_tensor(node)?;
    let (fate, input) = quantize(cx, node, input, wanted)?;
    cx.bind(
        output,
        Activation {
            stage: Stage::Quantized,
            ..input
        },
    );
    Ok(fate)
}

fn quantize(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    input: Activation,
    wanted: Quantization,
) -> Result<(Fate, Activation), Refusal> {
    let only_quantized = cx.only_quantized[cx.input(node, 0)?.0];
    let edge = cx.graph.edge_mut(input.edge);
    match edge.quantization {
        None if only_quantized => {
            edge.quantization = Some(wanted);
            let fate = match edge.producer {
                Some(NodeId(step)) => Fate::FusedInto(step),
                None => Fate::Folded,
            };
            Ok((fate, input))
        }
        Some(found) if found == wanted => Ok((Fate::Aliased, input)),
        _ => {
            let layout = input.layout.clone();
            let fate = cx.add_node(node, Requantize, &[&input], layout)?;
            let output = cx.output(node)?;
            let rescaled = cx.bound_activation(output)?;
            cx.graph.edge_mut(rescaled.edge).quantization = Some(wanted);
            Ok((fate, rescaled))
        }
    }
}
