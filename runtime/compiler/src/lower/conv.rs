//! `Conv` in one or two dimensions: dense, grouped or depthwise.

use super::Lowering;
use super::operand::spatial_shape;
use super::window::window;
use crate::error::Refusal;
use crate::graph::op::Convolution;
use crate::graph::{Layout, Op};
use crate::import::source::SourceNode;
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let (activation, input) = cx.spatial(node, 0)?;
    let dims = cx.output_dims(node)?;
    let output = spatial_shape(dims)?;
    let (constant, weights) = cx.weights(node, 1)?;
    let misfit = || Refusal::Shape {
        found: vec![constant.dims.clone(), dims.into()],
    };
    let [channels, depth, kernel @ ..] = &*constant.dims else {
        return Err(misfit());
    };
    let groups = usize::try_from(node.attributes.int("group", 1)?).unwrap_or(0);
    let fits = groups > 0
        && kernel.len() + 2 == dims.len()
        && *channels == output.channels
        && depth.checked_mul(groups) == Some(input.channels)
        && channels.is_multiple_of(groups);
    if !fits {
        return Err(misfit());
    }
    let window = window(node, kernel, input, output)?;
    let scales = constant.scales_along(0, *channels).ok_or_else(misfit)?;
    let sum_scales = cx.sum_scales(activation.edge, &scales);
    let convolution = Convolution {
        input,
        output,
        window,
        groups,
        weights: channels_innermost(weights, *depth, kernel.iter().product()),
        scales,
        bias: cx.bias(node, 2, &sum_scales)?,
    };
    let layout = Layout::channels_last(dims);
    cx.add_node(
        node,
        Op::Convolution(convolution),
        &[&activation],
        layout,
        None,
    )
}

/// `[output channel][channel][tap]` as `[output channel][tap][channel]`.
fn channels_innermost(weights: &[i8], depth: usize, taps: usize) -> Vec<i8> {
    let filters = weights.chunks_exact(depth * taps);
    let filter = |filter: &[i8]| -> Vec<i8> {
        (0..depth * taps)
            .map(|at| filter[at % depth * taps + at / depth])
            .collect()
    };
    filters.flat_map(filter).collect()
}
