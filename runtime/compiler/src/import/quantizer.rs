//! ONNX's `QuantizeLinear` with one scale, to the bit.
//!
//! tract 0.23.9 multiplies by the scale's reciprocal, which is a step off next to ties, and its sum
//! with the zero point overflows for numbers beyond int32. This operator takes its place; with a
//! scale for each channel, tract divides itself.

use super::rewrite::node_name;
use std::collections::HashMap;
use tract_onnx::model::ParseResult;
use tract_onnx::pb::ModelProto;
use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_hir::tract_core::ops::quant::{QuantizeLinearI8, QuantizeLinearU8};

/// `clamp(roundeven(x / scale) + zero)`.
#[derive(Clone, Debug, PartialEq)]
struct Quantizer {
    scale: f32,
    zero: Zero,
}

/// The zero point, of the output's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zero {
    I8(i8),
    U8(u8),
}

impl Eq for Quantizer {}

/// The scales of the model's quantizers that have one, by the names of their nodes. tract keeps
/// the names.
pub(super) fn scales(proto: &ModelProto, parsed: &ParseResult) -> HashMap<String, f32> {
    let nodes = proto.graph.iter().flat_map(|graph| &graph.node);
    let quantizers = nodes.filter(|node| node.op_type == "QuantizeLinear");
    let named = quantizers.filter_map(|node| {
        let outlet = parsed.outlets_by_name.get(node.input.get(1)?)?;
        let scale = parsed.model.outlet_fact(*outlet).ok()?.value.concretize()?;
        let scale = scale.cast_to::<f32>().ok()?;
        let view = scale.as_plain_ram()?;
        let &[scale] = view.as_slice::<f32>().ok()? else {
            return None;
        };
        Some((node_name(node).to_owned(), scale))
    });
    named.collect()
}

/// Puts this operator in the place of tract's wherever `scales` has the node.
pub(super) fn put_in(model: &mut TypedModel, scales: &HashMap<String, f32>) {
    for id in 0..model.nodes().len() {
        let node = model.node(id);
        let Some(op) = node.op_as::<ElementWiseOp>() else {
            continue;
        };
        let zero = if let Some(op) = op.0.downcast_ref::<QuantizeLinearI8>() {
            Zero::I8(op.zero_point)
        } else if let Some(op) = op.0.downcast_ref::<QuantizeLinearU8>() {
            Zero::U8(op.zero_point)
        } else {
            continue;
        };
        if let Some(&scale) = scales.get(&node.name) {
            model.node_mut(id).op = Box::new(Quantizer { scale, zero });
        }
    }
}

impl Quantizer {
    /// Steps from the zero point, small enough that nothing overflows.
    fn steps(&self, real: f32) -> i32 {
        (real / self.scale).round_ties_even().clamp(-1024.0, 1024.0) as i32
    }
}

impl Op for Quantizer {
    fn name(&self) -> StaticName {
        "QuantizeLinear".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Quantizer {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = inputs[0].cast_to::<f32>()?;
        let view = input.to_plain_array_view::<f32>()?;
        Ok(tvec![match self.zero {
            Zero::I8(zero) => view
                .mapv(|real| (self.steps(real) + i32::from(zero)).clamp(-128, 127) as i8)
                .into_tvalue(),
            Zero::U8(zero) => view
                .mapv(|real| (self.steps(real) + i32::from(zero)).clamp(0, 255) as u8)
                .into_tvalue(),
        }])
    }
}

impl TypedOp for Quantizer {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let datum_type = match self.zero {
            Zero::I8(_) => DatumType::I8,
            Zero::U8(_) => DatumType::U8,
        };
        Ok(tvec![datum_type.fact(inputs[0].shape.clone())])
    }

    as_op!();
}
