//! Other axes over the same elements; joining and splitting.

use super::super::schema::options;
use super::super::translation::{Stop, Translation};
use super::activation::fused;
use crate::error::Refusal;
use crate::import::source::{Attribute, ValueId};

/// `RESHAPE`, `SQUEEZE` and `EXPAND_DIMS`: the result's axes are in the file.
pub fn reshape(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let input = cx.real(0)?;
    let dims = cx.result(0)?.dims.clone();
    let real = cx.reshape(input, &dims);
    cx.finish_result(0, real)
}

pub fn transpose(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let input = cx.real(0)?;
    let rank = cx.dims(input).len();
    let mut perm = Vec::new();
    for stated in cx.integers(1)? {
        perm.push(axis(stated, rank)?);
    }
    let real = cx.transposed(input, &perm)?;
    cx.finish_result(0, real)
}

pub fn concatenation(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let (mut along, mut activation) = (0, 0);
    if let Some(options) = cx.options(options::CONCATENATION)? {
        (along, activation) = (options.int(0, 0)?, options.byte(1, 0)?);
    }
    let mut parts = Vec::new();
    for operand in 0..cx.operands() {
        parts.push(cx.real(operand)?);
    }
    let real = concat(cx, &parts, along)?;
    let real = fused(cx, real, activation)?;
    cx.finish_result(0, real)
}

/// Joins the operands along an axis that is new.
pub fn pack(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let along = match cx.options(options::PACK)? {
        Some(options) => options.int(1, 0)?,
        None => 0,
    };
    let along = axis(along.into(), cx.result(0)?.dims.len())?;
    let mut parts = Vec::new();
    for operand in 0..cx.operands() {
        let part = cx.real(operand)?;
        let mut dims = cx.dims(part).to_vec();
        dims.insert(along.min(dims.len()), 1);
        parts.push(cx.reshaped(part, &dims));
    }
    let real = concat(cx, &parts, along as i32)?;
    cx.finish_result(0, real)
}

fn concat(cx: &mut Translation<'_>, parts: &[ValueId], along: i32) -> Result<ValueId, Stop> {
    let first = parts
        .first()
        .ok_or(Refusal::OperandMissing { operand: 0 })?;
    let mut dims = cx.dims(*first).to_vec();
    let along = axis(along.into(), dims.len())?;
    let sizes = parts.iter().map(|&part| cx.dims(part).get(along).copied());
    dims[along] = sizes.map(Option::unwrap_or_default).sum();
    let attribute = [("axis", Attribute::Int(along as i64))];
    Ok(cx.node("Concat", parts, &attribute, &dims))
}

/// `SPLIT`: operand 0 is the axis.
pub fn split(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let input = cx.real(1)?;
    let along = cx.integers(0)?;
    split_along(cx, input, &along)
}

/// `SPLIT_V`: operand 2 is the axis; the sizes are those of the results.
pub fn split_v(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let input = cx.real(0)?;
    let along = cx.integers(2)?;
    split_along(cx, input, &along)
}

fn split_along(cx: &mut Translation<'_>, input: ValueId, along: &[i64]) -> Result<(), Stop> {
    let along = axis(along.first().copied().unwrap_or(0), cx.dims(input).len())?;
    let mut results = Vec::new();
    for result in 0..cx.results() {
        results.push(cx.result(result)?.dims.clone());
    }
    let parts = split_into(cx, input, along, &results)?;
    for (result, part) in parts.into_iter().enumerate() {
        cx.finish_result(result, part)?;
    }
    Ok(())
}

/// Splits along an axis that then is no more.
pub fn unpack(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let along = match cx.options(options::UNPACK)? {
        Some(options) => options.int(1, 0)?,
        None => 0,
    };
    let input = cx.real(0)?;
    let mut dims = cx.dims(input).to_vec();
    let along = axis(along.into(), dims.len())?;
    dims[along] = 1;
    let parts = split_into(cx, input, along, &vec![dims; cx.results()])?;
    for (result, part) in parts.into_iter().enumerate() {
        let dims = cx.result(result)?.dims.clone();
        let part = cx.reshape(part, &dims);
        cx.finish_result(result, part)?;
    }
    Ok(())
}

/// The parts of `input` along an axis; they must make it up.
fn split_into(
    cx: &mut Translation<'_>,
    input: ValueId,
    along: usize,
    parts: &[Vec<usize>],
) -> Result<Vec<ValueId>, Stop> {
    let sizes: Vec<_> = parts
        .iter()
        .map(|dims| dims.get(along).copied().unwrap_or(0))
        .collect();
    if sizes.iter().sum::<usize>() != cx.dims(input)[along] {
        let found = parts.iter().cloned().chain([cx.dims(input).into()]);
        return Err(Refusal::Shape {
            found: found.collect(),
        }
        .into());
    }
    let sizes: Vec<_> = sizes.into_iter().map(|size| size as i64).collect();
    let sizes = cx.list("split", &sizes);
    let attribute = [("axis", Attribute::Int(along as i64))];
    Ok(cx.node_of("Split", vec![Some(input), Some(sizes)], &attribute, parts))
}

/// An axis counted from the front.
pub fn axis(stated: i64, rank: usize) -> Result<usize, Stop> {
    let axis = if stated < 0 {
        stated + rank as i64
    } else {
        stated
    };
    match usize::try_from(axis) {
        Ok(axis) if axis < rank => Ok(axis),
        _ => Err(Refusal::Attribute {
            attribute: "axis",
            value: stated.to_string(),
        }
        .into()),
    }
}
