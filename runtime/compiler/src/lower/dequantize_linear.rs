//! `DequantizeLinear`: of constants, weights and biases; of an activation, nothing to compute.

use super::Lowering;
use super::operand::{Activation, Binding, QuantizedConstant, QuantizedValues, Stage};
use crate::error::Refusal;
use crate::import::source::{Elements, SourceNode};
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let id = cx.input(node, 0)?;
    match &cx.source.value(id).constant {
        Some(elements) => lower_constant(cx, node, elements),
        None => lower_activation(cx, node),
    }
}

fn lower_constant(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    elements: &Elements,
) -> Result<Fate, Refusal> {
    let id = cx.input(node, 0)?;
    let value = cx.source.value(id);
    let quantizer = cx.quantizer(node, id)?;
    let values = match elements {
        Elements::I8(values) => QuantizedValues::I8(values.clone()),
        Elements::U8(values) => {
            let shifted = values.iter().map(|&value| (i16::from(value) - 128) as i8);
            QuantizedValues::I8(shifted.collect())
        }
        Elements::I32(values) => QuantizedValues::I32(values.clone()),
        Elements::F32(_) | Elements::I64(_) | Elements::Bool(_) => {
            return Err(Refusal::Type {
                value: value.name.clone(),
                found: value.element.name(),
            });
        }
    };
    let is_int32 = matches!(values, QuantizedValues::I32(_));
    if let Some(&zero) = quantizer.zeros.iter().find(|&&zero| is_int32 && zero != 0) {
        return Err(Refusal::WeightZeroPoint { zero });
    }
    let dims = value.dims.clone();
    let rank = dims.len() as i64;
    let axis = node.attributes.int("axis", 1)?;
    let axis = if axis < 0 { axis + rank } else { axis };
    let axis = if quantizer.scales.len() == 1 { 0 } else { axis };
    let along = usize::try_from(axis).ok().and_then(|axis| dims.get(axis));
    if quantizer.scales.len() > 1 && along != Some(&quantizer.scales.len()) {
        return Err(Refusal::Shape {
            found: vec![dims, vec![quantizer.scales.len()]],
        });
    }
    let output = cx.output(node)?;
    cx.bindings[output.0] = Some(Binding::Quantized(QuantizedConstant {
        dims,
        values,
        scales: quantizer.scales,
        zeros: quantizer.zeros,
        axis: axis as usize,
    }));
    Ok(Fate::Folded)
}

fn lower_activation(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let integers = cx.input(node, 0)?;
    let input = cx.activation(node, 0)?;
    if input.stage != Stage::Quantized {
        let value = cx.source.value(integers);
        return Err(Refusal::Type {
            value: value.name.clone(),
            found: value.element.name(),
        });
    }
    let wanted = cx.quantizer(node, integers)?.per_tensor(node)?;
    let edge = cx.graph.edge_mut(input.edge);
    // Only the edge of an int8 input has no quantization yet.
    if *edge.quantization.get_or_insert(wanted) != wanted {
        return Err(Refusal::ScaleMismatch {
            value: cx.name(node, 0)?,
        });
    }
    let dequantized = Activation {
        stage: Stage::Real,
        ..input
    };
    cx.alias(node, dequantized)
}
