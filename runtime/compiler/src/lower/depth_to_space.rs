//! `DepthToSpace` and `SpaceToDepth`: a copy in another order of split axes.

use super::Lowering;
use super::axes::{copy, refused};
use super::operand::Activation;
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
use crate::report::Fate;

type Axis = (usize, isize);

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let (input, [batch, channels, height, width], block) = operand(cx, node)?;
    let (size, step) = (block as isize, channels.1);
    if channels.0 % (block * block) != 0 {
        return Err(refused("blocksize", &block));
    }
    let depth = channels.0 / (block * block);
    // Which part of the channels is the row, the column and the depth.
    let (deep, row, column) = match node.attributes.text("mode", "DCR")? {
        "DCR" => {
            let column = depth as isize * step;
            (step, size * column, column)
        }
        "CRD" => (size * size * step, size * step, step),
        mode => return Err(refused("mode", &mode)),
    };
    let rows = [height, (block, row)];
    let columns = [width, (block, column)];
    let depths = [(depth, deep)];
    add(cx, node, &input, batch, &depths, &rows, &columns)
}

pub(super) fn lower_reverse(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let (input, [batch, channels, height, width], block) = operand(cx, node)?;
    if height.0 % block != 0 || width.0 % block != 0 {
        return Err(refused("blocksize", &block));
    }
    let inside = |axis: Axis| (block, axis.1);
    let outside = |axis: Axis| (axis.0 / block, axis.1 * block as isize);
    // Whether the block comes before the channels or after them.
    let depths = match node.attributes.text("mode", "DCR")? {
        "DCR" => [inside(height), inside(width), channels],
        "CRD" => [channels, inside(height), inside(width)],
        mode => return Err(refused("mode", &mode)),
    };
    let (rows, columns) = ([outside(height)], [outside(width)]);
    add(cx, node, &input, batch, &depths, &rows, &columns)
}

/// The operand, size and stride of each of its axes, and the block's size.
fn operand(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
) -> Result<(Activation, [Axis; 4], usize), Refusal> {
    let block = node.attributes.int("blocksize", 0)?;
    let block = usize::try_from(block)
        .ok()
        .filter(|it| (1..1 << 16).contains(it));
    let block = block.ok_or_else(|| refused("blocksize", &block))?;
    let input = cx.movable(node, 0)?;
    let strides = input.layout.strides();
    let axes: Vec<Axis> = input.layout.dims.iter().copied().zip(strides).collect();
    let axes = <[Axis; 4]>::try_from(axes).map_err(|_| Refusal::Shape {
        found: vec![input.layout.dims.clone()],
    })?;
    Ok((input, axes, block))
}

/// The result is channels last where the operand is.
fn add(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    input: &Activation,
    batch: Axis,
    depths: &[Axis],
    rows: &[Axis],
    columns: &[Axis],
) -> Result<Fate, Refusal> {
    let dims = cx.output_dims(node)?;
    let last = input.layout.order.last() == Some(&1);
    let (axes, layout) = if last {
        (
            [&[batch], rows, columns, depths].concat(),
            Layout::channels_last(dims),
        )
    } else {
        (
            [&[batch], depths, rows, columns].concat(),
            Layout::row_major(dims),
        )
    };
    cx.add_move(node, copy(0, &axes)?, &[input], layout)
}
