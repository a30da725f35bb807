//! `MaxPool`.

use super::Lowering;
use super::operand::spatial_shape;
use super::window::{sizes, window};
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
use crate::ops::max_pool::MaxPool;
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let (activation, input) = cx.spatial(node, 0)?;
    let dims = cx.output_dims(node)?;
    let output = spatial_shape(dims)?;
    node.attributes.require_int("storage_order", 0)?;
    let kernel = node.attributes.ints("kernel_shape")?.unwrap_or_default();
    let kernel = sizes(kernel, 1).unwrap_or_default();
    let window = window(node, &kernel, input, output)?;
    if window.dilation != [1, 1] {
        return Err(Refusal::Attribute {
            attribute: "dilations",
            value: format!("{:?}", window.dilation),
        });
    }
    let pool = MaxPool {
        input,
        output,
        window,
    };
    let layout = Layout::channels_last(dims);
    cx.add_node(node, pool, &[&activation], layout)
}
