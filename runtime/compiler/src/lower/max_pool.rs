//! `MaxPool`, with the places of the maxima where somebody reads them, and `LpPool`.

use super::Lowering;
use super::operand::spatial_shape;
use super::window::{sizes, window};
use crate::error::Refusal;
use crate::graph::{Kind, Layout};
use crate::import::source::SourceNode;
use crate::ops::lp_pool::LpPool;
use crate::ops::max_pool::MaxPool;
use crate::report::Fate;
use microtome_kernels::float::pool::Indices;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let (activation, input) = cx.spatial(node, 0)?;
    let dims = cx.output_dims(node)?;
    let output = spatial_shape(dims)?;
    let kernel = node.attributes.ints("kernel_shape")?.unwrap_or_default();
    let kernel = sizes(kernel, 1).unwrap_or_default();
    let indices = match node.attributes.int("storage_order", 0)? {
        _ if !cx.is_used(node, 1) => Indices::None,
        0 => Indices::RowMajor,
        _ => Indices::ColumnMajor,
    };
    let pool = MaxPool {
        input,
        output,
        window: window(node, &kernel, input, output)?,
        indices,
    };
    let layout = Layout::channels_last(dims);
    let outputs = [(Kind::Real, layout.clone()), (Kind::Integer, layout)];
    let count = 1 + usize::from(indices != Indices::None);
    cx.add_node_with(node, pool, &[&activation], &outputs[..count])
}

pub(super) fn lower_lp(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let (activation, input) = cx.spatial(node, 0)?;
    let dims = cx.output_dims(node)?;
    let output = spatial_shape(dims)?;
    let kernel = node.attributes.ints("kernel_shape")?.unwrap_or_default();
    let kernel = sizes(kernel, 1).unwrap_or_default();
    let pool = LpPool {
        input,
        output,
        window: window(node, &kernel, input, output)?,
        p: node.attributes.int("p", 2)? as f32,
    };
    let layout = Layout::channels_last(dims);
    cx.add_node(node, pool, &[&activation], layout)
}
