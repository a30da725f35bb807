//! Dense layers and matrix products.

use super::super::schema::options;
use super::super::translation::{Stop, Translation};
use super::activation::fused;
use super::convolution::bias;
use crate::error::Refusal;
use crate::import::source::{Attribute, ValueId};

/// The input is taken as rows of as many features as the weights `[outputs, inputs]` have.
pub fn fully_connected(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let mut activation = 0;
    if let Some(options) = cx.options(options::FULLY_CONNECTED)? {
        activation = options.byte(0, 0)?;
        let format = options.byte(1, 0)?;
        if format != 0 {
            return Err(Refusal::Attribute {
                attribute: "weights_format",
                value: format.to_string(),
            }
            .into());
        }
    }
    let input = cx.real(0)?;
    let weights = cx.operand_tensor(1)?;
    let misfit = || Refusal::Shape {
        found: vec![cx.dims(input).into(), weights.dims.clone()],
    };
    let &[outputs, inputs] = &*weights.dims else {
        return Err(misfit().into());
    };
    let elements: usize = cx.dims(input).iter().product();
    if inputs == 0 || !elements.is_multiple_of(inputs) {
        return Err(misfit().into());
    }
    let rows = elements / inputs;
    let bias = bias(cx, 2)?;
    let input = cx.reshaped(input, &[rows, inputs]);
    let real = if weights.data.is_empty() {
        let weights = cx.real(1)?;
        let weights = cx.transposed(weights, &[1, 0])?;
        let real = cx.node("MatMul", &[input, weights], &[], &[rows, outputs]);
        match bias {
            Some(bias) => cx.node("Add", &[real, bias], &[], &[rows, outputs]),
            None => real,
        }
    } else {
        // Each layer packs the weights for itself, though the file may have them once.
        cx.charge(weights.data.len())?;
        let mut operands = vec![input, cx.real(1)?];
        operands.extend(bias);
        let transposed = [("transB", Attribute::Int(1))];
        cx.node("Gemm", &operands, &transposed, &[rows, outputs])
    };
    let real = fused(cx, real, activation)?;
    let dims = cx.result(0)?.dims.clone();
    let real = cx.reshaped(real, &dims);
    cx.finish_result(0, real)
}

pub fn batch_matmul(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let mut transposes = [false, false];
    if let Some(options) = cx.options(options::BATCH_MATMUL)? {
        transposes = [options.byte(0, 0)? != 0, options.byte(1, 0)? != 0];
    }
    let (a, b) = (matrix(cx, 0, transposes[0])?, matrix(cx, 1, transposes[1])?);
    let dims = cx.result(0)?.dims.clone();
    let real = cx.node("MatMul", &[a, b], &[], &dims);
    cx.finish_result(0, real)
}

/// Operand `operand`, perhaps with its last two axes exchanged.
fn matrix(cx: &mut Translation<'_>, operand: usize, transpose: bool) -> Result<ValueId, Stop> {
    let dims = &cx.operand_tensor(operand)?.dims;
    let rank = dims.len();
    if rank < 2 {
        return Err(Refusal::Shape {
            found: vec![dims.clone()],
        }
        .into());
    }
    let mut perm: Vec<_> = (0..rank).collect();
    if transpose {
        perm.swap(rank - 2, rank - 1);
    }
    cx.permuted(operand, &perm)
}
