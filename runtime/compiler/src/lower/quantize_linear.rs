//! `QuantizeLinear`: quantizes the edge before it, or changes the scale of a quantized one.

use super::Lowering;
use super::operand::{Activation, Stage};
use crate::error::Refusal;
use crate::graph::{NodeId, Op, Quantization};
use crate::import::source::{Element, SourceNode};
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
    let edge = cx.graph.edge_mut(input.edge);
    match edge.quantization {
        None => {
            edge.quantization = Some(wanted);
            let fate = match edge.producer {
                Some(NodeId(step)) => Fate::FusedInto(step),
                None => Fate::Folded,
            };
            Ok((fate, input))
        }
        Some(found) if found == wanted => Ok((Fate::Aliased, input)),
        Some(_) => {
            let layout = input.layout.clone();
            let fate = cx.add_node(node, Op::Requantize, &[&input], layout, Some(wanted))?;
            let output = cx.output(node)?;
            let rescaled = cx.bound_activation(output)?;
            Ok((fate, rescaled))
        }
    }
}
