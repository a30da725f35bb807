//! Operators of one or two operands, element by element; the operands broadcast as ONNX's do.

use super::super::schema::options;
use super::super::translation::{Stop, Translation};
use super::activation::fused;
use crate::error::Refusal;

/// An operator that ONNX has too, without attributes.
pub fn unary(cx: &mut Translation<'_>, op: &str) -> Result<(), Stop> {
    let input = cx.real(0)?;
    let dims = cx.dims(input).to_vec();
    let real = cx.node(op, &[input], &[], &dims);
    cx.finish_result(0, real)
}

/// An operator of two operands, perhaps with a fused activation.
pub fn binary(cx: &mut Translation<'_>, op: &str) -> Result<(), Stop> {
    let kind = match op {
        "Add" => Some(options::ADD),
        "Sub" => Some(options::SUB),
        "Mul" => Some(options::MUL),
        "Div" => Some(options::DIV),
        _ => None,
    };
    let options = match kind {
        Some(kind) => cx.options(kind)?,
        None => None,
    };
    let activation = match options {
        Some(options) => options.byte(0, 0)?,
        None => 0,
    };
    let (a, b) = (cx.real(0)?, cx.real(1)?);
    let dims = broadcast(cx.dims(a), cx.dims(b)).ok_or_else(|| Refusal::Shape {
        found: vec![cx.dims(a).into(), cx.dims(b).into()],
    })?;
    let real = cx.node(op, &[a, b], &[], &dims);
    let real = fused(cx, real, activation)?;
    cx.finish_result(0, real)
}

pub fn square(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let input = cx.real(0)?;
    let dims = cx.dims(input).to_vec();
    let real = cx.node("Mul", &[input, input], &[], &dims);
    cx.finish_result(0, real)
}

pub fn rsqrt(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let input = cx.real(0)?;
    let dims = cx.dims(input).to_vec();
    let root = cx.node("Sqrt", &[input], &[], &dims);
    let real = cx.node("Reciprocal", &[root], &[], &dims);
    cx.finish_result(0, real)
}

fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let size = |dims: &[usize], axis: usize| {
        let own = (axis + dims.len()).checked_sub(rank);
        own.map_or(1, |own| dims[own])
    };
    let joined = |axis| match (size(a, axis), size(b, axis)) {
        (a, b) if a == b => Some(a),
        (1, other) | (other, 1) => Some(other),
        _ => None,
    };
    (0..rank).map(joined).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_of_size_1_and_missing_ones_broadcast() {
        assert_eq!(broadcast(&[1, 4, 3], &[3]), Some(vec![1, 4, 3]));
        assert_eq!(broadcast(&[4, 1], &[1, 5]), Some(vec![4, 5]));
        assert_eq!(broadcast(&[4], &[3]), None);
    }
}
