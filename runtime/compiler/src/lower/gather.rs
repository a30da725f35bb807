//! `Gather`, `GatherElements`, `GatherND`: indices are activations or constants.

use super::Lowering;
use super::axes::{Around, axis_of, last_axes, refused};
use super::operand::Activation;
use super::slice::{Part, view};
use crate::error::Refusal;
use crate::graph::{Kind, Layout};
use crate::import::source::SourceNode;
use crate::ops::gather::{Gather, GatherElements, GatherNd};
use crate::report::Fate;
use microtome_kernels::float::gather::Places;
use microtome_kernels::view::AXES;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let data = cx.movable(node, 0)?;
    let rank = data.layout.dims.len();
    let axis = axis_of(node.attributes.int("axis", 0)?, rank)?;
    let index_dims = cx.input_dims(node, 1)?.to_vec();
    let single = cx.whole_numbers(node, 1).ok().flatten();
    if let Some(&[index]) = single.as_deref() {
        return lower_single(cx, node, &data, axis, index);
    }
    let indices = indices(cx, node, 1)?;
    // One axis of indices takes the place of the axis; more of them are row major in the middle.
    let (data, layout) = match &*index_dims {
        &[count] => {
            let mut layout = data.layout.clone();
            layout.dims[axis] = count;
            (data, layout)
        }
        _ => {
            let stage = data.stage;
            let own = Layout::row_major(&data.layout.dims);
            let data = cx.laid_out(node, data, &own)?;
            let dims = &data.layout.dims;
            let dims = [&dims[..axis], &index_dims, &dims[axis + 1..]].concat();
            (Activation { stage, ..data }, Layout::row_major(&dims))
        }
    };
    let around = Around::new(&data.layout, axis);
    let gather = Gather {
        outer: around.outer,
        axis_len: around.len,
        inner: around.inner,
    };
    cx.add_move(node, gather, &[&data, &indices], layout)
}

/// One constant index is a slice.
fn lower_single(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    data: &Activation,
    axis: usize,
    index: i64,
) -> Result<Fate, Refusal> {
    let dims = &data.layout.dims;
    let start = axis_of(index, dims[axis]).map_err(|_| refused("indices", &index))?;
    let mut parts: Vec<_> = dims.iter().map(|&dim| Part::whole(dim)).collect();
    parts[axis] = Part {
        start,
        len: 1,
        step: 1,
    };
    let (view, layout) = view(&data.layout, &parts)?;
    let layout = layout.reshape(cx.output_dims(node)?);
    cx.add_move(node, view, &[data], layout)
}

/// Operand `operand` as indices, row major.
pub(super) fn indices(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    operand: usize,
) -> Result<Activation, Refusal> {
    let indices = cx.row_major(node, operand)?;
    cx.require_kind(node, operand, &indices, &[Kind::Integer])?;
    Ok(indices)
}

/// Operand `operand`, any elements, row major.
pub(super) fn elements(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    operand: usize,
) -> Result<Activation, Refusal> {
    let elements = cx.movable(node, operand)?;
    let (stage, layout) = (elements.stage, Layout::row_major(&elements.layout.dims));
    let elements = cx.laid_out(node, elements, &layout)?;
    Ok(Activation { stage, ..elements })
}

pub(super) fn lower_elements(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let data = elements(cx, node, 0)?;
    let indices = indices(cx, node, 1)?;
    let dims = &data.layout.dims;
    let axis = axis_of(node.attributes.int("axis", 0)?, dims.len())?;
    let index_dims = cx.input_dims(node, 1)?;
    let gather = GatherElements {
        dims: last_axes(dims)?,
        index_dims: last_axes(index_dims)?,
        axis: axis + AXES - dims.len(),
    };
    let layout = Layout::row_major(index_dims);
    cx.add_move(node, gather, &[&data, &indices], layout)
}

pub(super) fn lower_nd(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let data = elements(cx, node, 0)?;
    let indices = indices(cx, node, 1)?;
    let batch_dims = node.attributes.int("batch_dims", 0)?;
    let index_dims = cx.input_dims(node, 1)?;
    let places = usize::try_from(batch_dims)
        .ok()
        .and_then(|batch| places(&data.layout.dims, index_dims, batch));
    let places = places.ok_or_else(|| refused("batch_dims", &batch_dims))?;
    let batch = data.layout.dims[..batch_dims as usize].iter().product();
    let layout = Layout::row_major(cx.output_dims(node)?);
    cx.add_move(node, GatherNd { batch, places }, &[&data, &indices], layout)
}

/// What `indices` of `index_dims` say of `dims`, of which the first `batch` are both's.
pub(super) fn places(dims: &[usize], index_dims: &[usize], batch: usize) -> Option<Places> {
    let (&depth, before) = index_dims.split_last()?;
    let indexed = dims.get(batch..)?.get(..depth)?;
    let count = before.get(batch..)?.iter().product();
    let mut sizes = [1; AXES];
    sizes.get_mut(..depth)?.copy_from_slice(indexed);
    Some(Places {
        sizes,
        depth,
        slice: dims[batch + depth..].iter().product(),
        count,
    })
}
