//! Elements by index, and indices of elements.

use super::super::schema::options;
use super::super::translation::{Stop, Translation};
use super::shape::axis;
use crate::error::Refusal;
use crate::import::source::{Attribute, ValueId};

pub fn gather(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let (mut along, mut batch_dims) = (0, 0);
    if let Some(options) = cx.options(options::GATHER)? {
        (along, batch_dims) = (options.int(0, 0)?, options.int(1, 0)?);
    }
    if batch_dims != 0 {
        return Err(Refusal::Attribute {
            attribute: "batch_dims",
            value: batch_dims.to_string(),
        }
        .into());
    }
    let (data, indices) = (cx.real(0)?, cx.value(1)?);
    gathered(cx, data, indices, along)
}

/// Rows of a table: operand 0 has the indices.
pub fn embedding_lookup(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let (indices, data) = (cx.value(0)?, cx.real(1)?);
    gathered(cx, data, indices, 0)
}

fn gathered(
    cx: &mut Translation<'_>,
    data: ValueId,
    indices: ValueId,
    along: i32,
) -> Result<(), Stop> {
    let along = axis(along.into(), cx.dims(data).len())?;
    let mut dims = cx.dims(data).to_vec();
    dims.splice(along..=along, cx.dims(indices).iter().copied());
    let attribute = [("axis", Attribute::Int(along as i64))];
    let real = cx.node("Gather", &[data, indices], &attribute, &dims);
    cx.finish_result(0, real)
}

/// The index of the largest or smallest element along the axis that operand 1 is.
pub fn arg(cx: &mut Translation<'_>, op: &str) -> Result<(), Stop> {
    let input = cx.real(0)?;
    let along = cx.integers(1)?.first().copied().unwrap_or(0);
    let mut dims = cx.dims(input).to_vec();
    let along = axis(along, dims.len())?;
    dims.remove(along);
    let attributes = [
        ("axis", Attribute::Int(along as i64)),
        ("keepdims", Attribute::Int(0)),
    ];
    let indices = cx.node(op, &[input], &attributes, &dims);
    cx.finish_result(0, indices)
}
