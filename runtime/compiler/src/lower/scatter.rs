//! `ScatterElements` (and `Scatter`, as it was called), `ScatterND`.

use super::Lowering;
use super::axes::{axis_of, last_axes, refused};
use super::gather::{elements, indices, places};
use crate::error::Refusal;
use crate::import::source::SourceNode;
use crate::ops::scatter::{ScatterElements, ScatterNd};
use crate::report::Fate;
use microtome_kernels::float::scatter::Reduction;
use microtome_kernels::view::AXES;

pub(super) fn lower_elements(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let reduction = reduction(node)?;
    let (data, indices) = (elements(cx, node, 0)?, indices(cx, node, 1)?);
    let updates = elements(cx, node, 2)?;
    cx.require_kind(node, 2, &updates, &[cx.kind(&data)])?;
    let dims = &data.layout.dims;
    let axis = axis_of(node.attributes.int("axis", 0)?, dims.len())?;
    let scatter = ScatterElements {
        dims: last_axes(dims)?,
        index_dims: last_axes(cx.input_dims(node, 1)?)?,
        axis: axis + AXES - dims.len(),
        reduction,
    };
    let layout = data.layout.clone();
    cx.add_move(node, scatter, &[&data, &indices, &updates], layout)
}

pub(super) fn lower_nd(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let reduction = reduction(node)?;
    let (data, indices) = (elements(cx, node, 0)?, indices(cx, node, 1)?);
    let updates = elements(cx, node, 2)?;
    cx.require_kind(node, 2, &updates, &[cx.kind(&data)])?;
    let index_dims = cx.input_dims(node, 1)?;
    let places = places(&data.layout.dims, index_dims, 0);
    let places = places.ok_or_else(|| Refusal::Shape {
        found: vec![data.layout.dims.clone(), index_dims.to_vec()],
    })?;
    let layout = data.layout.clone();
    let scatter = ScatterNd { places, reduction };
    cx.add_move(node, scatter, &[&data, &indices, &updates], layout)
}

fn reduction(node: &SourceNode) -> Result<Reduction, Refusal> {
    Ok(match node.attributes.text("reduction", "none")? {
        "none" => Reduction::None,
        "add" => Reduction::Add,
        "mul" => Reduction::Mul,
        "max" => Reduction::Max,
        "min" => Reduction::Min,
        other => return Err(refused("reduction", &other)),
    })
}
