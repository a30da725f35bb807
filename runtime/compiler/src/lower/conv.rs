//! `Conv` in one or two dimensions: dense, grouped or depthwise.

use super::Lowering;
use super::operand::spatial_shape;
use super::window::window;
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
use crate::ops::convolution::Convolution;
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let (activation, input) = cx.spatial(node, 0)?;
    let dims = cx.output_dims(node)?;
    let output = spatial_shape(dims)?;
    let (weights_dims, weights) = cx.weights(node, 1)?;
    let misfit = || Refusal::Shape {
        found: vec![weights_dims.clone(), dims.into()],
    };
    let [channels, depth, kernel @ ..] = &*weights_dims else {
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
    let order = channels_innermost(*channels, *depth, kernel.iter().product());
    let weights = weights.arranged(0, *channels, order).ok_or_else(misfit)?;
    let sums = cx.sum_scales(activation.edge, &weights, *channels);
    let convolution = Convolution {
        input,
        output,
        window,
        groups,
        weights,
        bias: cx.bias(node, 2, &sums)?,
    };
    let layout = Layout::channels_last(dims);
    cx.add_node(node, convolution, &[&activation], layout)
}

/// For each weight in `[output channel][tap][channel]`, its index in
/// `[output channel][channel][tap]`.
fn channels_innermost(channels: usize, depth: usize, taps: usize) -> impl Iterator<Item = usize> {
    let weights = depth * taps;
    (0..channels * weights).map(move |at| {
        let (channel, rest) = (at / weights, at % weights);
        channel * weights + rest % depth * taps + rest / depth
    })
}
