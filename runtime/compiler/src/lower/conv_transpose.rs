//! `ConvTranspose` in one or two dimensions, with groups.

use super::Lowering;
use super::operand::spatial_shape;
use super::window::transposed_window;
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
use crate::ops::conv_transpose::ConvTranspose;
use crate::ops::convolution::Weights;
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let (activation, input) = cx.spatial(node, 0)?;
    let dims = cx.output_dims(node)?;
    let output = spatial_shape(dims)?;
    let (weights_dims, weights) = cx.weights(node, 1)?;
    let misfit = || Refusal::Shape {
        found: vec![weights_dims.clone(), dims.into()],
    };
    let [channels, per_group, kernel @ ..] = &*weights_dims else {
        return Err(misfit());
    };
    let groups = usize::try_from(node.attributes.int("group", 1)?).unwrap_or(0);
    let fits = groups > 0
        && kernel.len() + 2 == dims.len()
        && *channels == input.channels
        && per_group.checked_mul(groups) == Some(output.channels)
        && channels.is_multiple_of(groups);
    if !fits {
        return Err(misfit());
    }
    let window = transposed_window(node, kernel, input, output)?;
    let taps = kernel.iter().product();
    let order = outputs_first(channels / groups, *per_group, groups, taps);
    let mut weights = weights.arranged(1, *per_group, order).ok_or_else(misfit)?;
    if let Weights::Quantized { scales, .. } = &mut weights {
        *scales = scales.repeat(groups);
    }
    let sums = cx.sum_scales(activation.edge, &weights, output.channels);
    let op = ConvTranspose {
        input,
        output,
        window,
        groups,
        bias: cx.bias(node, 2, &sums)?,
        weights,
    };
    let layout = Layout::channels_last(dims);
    cx.add_node(node, op, &[&activation], layout)
}

/// For each weight in `[group][output channel][tap][input channel]`, its index in
/// `[group][input channel][output channel][tap]`.
fn outputs_first(
    inputs: usize,
    outputs: usize,
    groups: usize,
    taps: usize,
) -> impl Iterator<Item = usize> {
    (0..groups * outputs * taps * inputs).map(move |at| {
        let (at, input) = (at / inputs, at % inputs);
        let (at, tap) = (at / taps, at % taps);
        let (group, output) = (at / outputs, at % outputs);
        ((group * inputs + input) * outputs + output) * taps + tap
    })
}
