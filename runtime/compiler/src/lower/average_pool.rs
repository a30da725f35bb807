//! `AveragePool`, `GlobalAveragePool`, and `ReduceMean` over rows and columns.

use super::Lowering;
use super::operand::{Activation, spatial_shape};
use super::window::{padded_window, sizes};
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
use crate::ops::average_pool::AveragePool;
use crate::report::Fate;
use microtome_kernels::num::{Shape, Window};

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let (activation, input) = cx.spatial(node, 0)?;
    let output = spatial_shape(cx.output_dims(node)?)?;
    let kernel = node.attributes.ints("kernel_shape")?.unwrap_or_default();
    let kernel = sizes(kernel, 1).unwrap_or_default();
    let (window, after) = padded_window(node, &kernel, input, output)?;
    let pads = is_padded(input, output, &window);
    let pool = AveragePool {
        input,
        output,
        window,
        counts_padding: !pads || node.attributes.int("count_include_pad", 0)? != 0,
        is_mean: false,
        after,
    };
    add_pool(cx, node, &activation, pool)
}

pub(super) fn lower_global(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let (activation, input) = cx.spatial(node, 0)?;
    add_pool(cx, node, &activation, global(input))
}

/// The mean of rows and columns, as `ReduceMean` has it.
pub(super) fn lower_mean(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let (activation, input) = cx.spatial(node, 0)?;
    let mean = AveragePool {
        is_mean: true,
        ..global(input)
    };
    add_pool(cx, node, &activation, mean)
}

fn global(input: Shape) -> AveragePool {
    let window = Window {
        kernel: [input.height, input.width],
        stride: [1, 1],
        dilation: [1, 1],
        pad: [0, 0],
    };
    AveragePool {
        input,
        output: Shape {
            height: 1,
            width: 1,
            ..input
        },
        window,
        counts_padding: true,
        is_mean: false,
        after: [0, 0],
    }
}

fn add_pool(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    activation: &Activation,
    pool: AveragePool,
) -> Result<Fate, Refusal> {
    let layout = Layout::channels_last(cx.output_dims(node)?);
    cx.add_node(node, pool, &[activation], layout)
}

fn is_padded(input: Shape, output: Shape, window: &Window) -> bool {
    let extents = [(input.height, output.height), (input.width, output.width)];
    extents
        .into_iter()
        .enumerate()
        .any(|(axis, (extent, outputs))| {
            let end = (outputs - 1) * window.stride[axis]
                + (window.kernel[axis] - 1) * window.dilation[axis]
                + 1;
            window.pad[axis] > 0 || end > extent
        })
}
