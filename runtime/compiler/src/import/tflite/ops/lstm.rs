//! `UNIDIRECTIONAL_SEQUENCE_LSTM`, the operator that Keras's LSTM becomes.

use super::super::model::Tensor;
use super::super::schema::options;
use super::super::translation::{Stop, Translation};
use crate::error::Refusal;
use crate::import::source::{Attribute, Elements, ValueId};

/// TFLite's operands of the gates in ONNX's order: input, output, forget, cell.
const GATES: [usize; 4] = [0, 3, 1, 2];
const WEIGHTS: usize = 1;
const RECURRENT: usize = 5;
const BIAS: usize = 12;

/// What has no counterpart here: peepholes, a projection, and layer normalization.
const EXTRAS: [(&str, std::ops::Range<usize>); 3] = [
    ("peephole", 9..12),
    ("projection", 16..18),
    ("layer_norm", 20..24),
];

/// `LSTM` over `[time, batch, features]`, from a state of zeros. The clip of the cell, which ONNX
/// does not have, is the attribute `cell_clip`.
pub fn lstm(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let (mut activation, mut clips, mut is_time_major) = (4, [0.0; 2], false);
    if let Some(options) = cx.options(options::UNIDIRECTIONAL_SEQUENCE_LSTM)? {
        activation = options.byte(0, 0)?;
        clips = [options.float(1, 0.0)?, options.float(2, 0.0)?];
        is_time_major = options.byte(3, 0)? != 0;
    }
    if activation != 4 {
        return Err(refused("fused_activation_function", activation));
    }
    for (attribute, mut operands) in EXTRAS {
        if operands.any(|operand| cx.optional(operand).is_some()) {
            return Err(refused(attribute, "present"));
        }
    }
    let input = cx.real(0)?;
    let time_major = if is_time_major {
        input
    } else {
        cx.transposed(input, &[1, 0, 2])?
    };
    let &[steps, batch, features] = cx.dims(time_major) else {
        let found = vec![cx.dims(input).to_vec()];
        return Err(Refusal::Shape { found }.into());
    };
    let hidden = cx.operand_tensor(RECURRENT + 1)?.dims.last().copied();
    let hidden = hidden.unwrap_or(0);
    let weights = joined(cx, WEIGHTS, "weights", &[hidden, features])?;
    let recurrent = joined(cx, RECURRENT, "recurrent", &[hidden, hidden])?;
    let mut operands = vec![time_major, weights, recurrent];
    operands.extend(biases(cx, hidden)?);
    let mut attributes = vec![("hidden_size", Attribute::Int(hidden as i64))];
    if clips[0] != 0.0 {
        attributes.push(("cell_clip", Attribute::Float(clips[0])));
    }
    let dims = [steps, 1, batch, hidden];
    let real = cx.node("LSTM", &operands, &attributes, &dims);
    let real = cx.reshape(real, &[steps, batch, hidden]);
    let real = if is_time_major {
        real
    } else {
        cx.transposed(real, &[1, 0, 2])?
    };
    cx.finish_result(0, real)
}

/// The four gates' weights as ONNX's `[1, 4 · hidden, …]`, each row with the scale of its gate.
fn joined(
    cx: &mut Translation<'_>,
    first: usize,
    name: &str,
    dims: &[usize; 2],
) -> Result<ValueId, Stop> {
    let rows = dims[0];
    let (mut integers, mut reals, mut scales) = (Vec::new(), Vec::new(), Vec::new());
    for gate in GATES {
        let tensor = cx.operand_tensor(first + gate)?;
        if tensor.dims != dims {
            return Err(misfit(tensor, dims));
        }
        match cx.copied(tensor)? {
            Elements::F32(values) => reals.extend(values),
            Elements::I8(values) => {
                integers.extend(values);
                scales.extend(vec![symmetric_scale(tensor)?; rows]);
            }
            _ => return Err(type_of(tensor)),
        }
    }
    let whole = [1, 4 * dims[0], dims[1]];
    match (integers.is_empty(), reals.is_empty()) {
        (true, false) => Ok(cx.constant(name, &whole, Elements::F32(reals))),
        (false, true) => {
            let integers = cx.constant(name, &whole, Elements::I8(integers));
            Ok(cx.dequantized_by(integers, scales, 1))
        }
        _ => Err(misfit(cx.operand_tensor(first)?, dims)),
    }
}

/// The gates' biases, and zeros for those that ONNX adds to the recurrent sums.
fn biases(cx: &mut Translation<'_>, hidden: usize) -> Result<Option<ValueId>, Stop> {
    if cx.optional(BIAS).is_none() {
        return Ok(None);
    }
    let (mut integers, mut reals, mut scales) = (Vec::new(), Vec::new(), Vec::new());
    for gate in GATES {
        let tensor = cx.operand_tensor(BIAS + gate)?;
        if tensor.dims != [hidden] {
            return Err(misfit(tensor, &[hidden]));
        }
        match cx.copied(tensor)? {
            Elements::F32(values) => reals.extend(values),
            Elements::I32(values) => {
                integers.extend(values);
                // The bias belongs to the sum over the input; the recurrent sum has its own scale.
                let weights = scale(cx.operand_tensor(WEIGHTS + gate)?)?;
                let own = scale(tensor).unwrap_or(scale(cx.operand_tensor(0)?)? * weights);
                scales.extend(vec![own; hidden]);
            }
            _ => return Err(type_of(tensor)),
        }
    }
    let whole = [1, 8 * hidden];
    if integers.is_empty() {
        reals.resize(8 * hidden, 0.0);
        return Ok(Some(cx.constant("bias", &whole, Elements::F32(reals))));
    }
    if !reals.is_empty() {
        return Err(misfit(cx.operand_tensor(BIAS)?, &[hidden]));
    }
    integers.resize(8 * hidden, 0);
    scales.extend_from_within(..);
    let integers = cx.constant("bias", &whole, Elements::I32(integers));
    Ok(Some(cx.dequantized_by(integers, scales, 1)))
}

fn symmetric_scale(tensor: &Tensor<'_>) -> Result<f32, Stop> {
    let zeros = tensor.quantization.iter().flat_map(|it| &it.zeros);
    if let Some(&zero) = zeros.into_iter().find(|&&zero| zero != 0) {
        let zero = zero as i32;
        return Err(Refusal::WeightZeroPoint { zero }.into());
    }
    scale(tensor)
}

/// The scale of a tensor, the same for all of it.
fn scale(tensor: &Tensor<'_>) -> Result<f32, Stop> {
    let quantization = tensor.quantization.as_ref();
    match quantization.map(|it| &*it.scales) {
        Some(&[scale]) => Ok(scale),
        _ => Err(Refusal::NotQuantized {
            value: tensor.name.clone(),
        }
        .into()),
    }
}

fn misfit(tensor: &Tensor<'_>, wanted: &[usize]) -> Stop {
    Refusal::Shape {
        found: vec![tensor.dims.clone(), wanted.into()],
    }
    .into()
}

fn type_of(tensor: &Tensor<'_>) -> Stop {
    Refusal::Type {
        value: tensor.name.clone(),
        found: tensor.kind.element().name(),
    }
    .into()
}

fn refused(attribute: &'static str, value: impl ToString) -> Stop {
    Refusal::Attribute {
        attribute,
        value: value.to_string(),
    }
    .into()
}
