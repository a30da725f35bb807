//! `Pad` with a constant: its result has its input's quantization.

use super::Lowering;
use super::operand::spatial_shape;
use super::window::sizes;
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
use crate::ops::pad::Pad;
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let mode = node.attributes.text("mode", "constant")?;
    if mode != "constant" {
        return Err(Refusal::Attribute {
            attribute: "mode",
            value: mode.into(),
        });
    }
    let (activation, input) = cx.spatial(node, 0)?;
    let dims = cx.output_dims(node)?;
    let output = spatial_shape(dims)?;
    let value = match cx.real(node, 2)? {
        Some(value) => value,
        None => f64::from(node.attributes.float("value", 0.0)?),
    };
    let pad = Pad {
        input,
        output,
        before: before(cx, node, dims.len())?,
        value,
    };
    let layout = Layout::channels_last(dims);
    cx.add_node(node, pad, &[&activation], layout)
}

/// Padding before rows, columns and channels.
fn before(cx: &Lowering<'_>, node: &SourceNode, rank: usize) -> Result<[usize; 3], Refusal> {
    // Pads are an attribute up to opset 10, and an operand after it.
    let pads = match node.attributes.ints("pads")? {
        Some(pads) => pads,
        None => cx.integers(node, 1)?.unwrap_or_default(),
    };
    let refused = |attribute| Refusal::Attribute {
        attribute,
        value: format!("{pads:?}"),
    };
    if cx.integers(node, 3)?.is_some() {
        return Err(refused("axes"));
    }
    let pads = sizes(pads, 0).filter(|pads| pads.len() == 2 * rank);
    match pads.as_deref() {
        Some([0, channels, height, _, _, _]) => Ok([*height, 0, *channels]),
        Some([0, channels, height, width, ..]) => Ok([*height, *width, *channels]),
        _ => Err(refused("pads")),
    }
}
