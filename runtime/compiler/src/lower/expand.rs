//! `Expand` and `Tile`: copies that read elements more than once.

use super::Lowering;
use super::axes::copy;
use super::operand::Activation;
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
use crate::ops::copy::Copy;
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let input = cx.movable(node, 0)?;
    let dims = cx.output_dims(node)?.to_vec();
    let misfit = || Refusal::Shape {
        found: vec![input.layout.dims.clone(), dims.clone()],
    };
    let new = dims.len().checked_sub(input.layout.dims.len());
    let new = new.ok_or_else(misfit)?;
    // Axes that come in front have one element in the operand.
    let layout = Layout {
        dims: [vec![1; new], input.layout.dims.clone()].concat(),
        order: (0..new)
            .chain(input.layout.order.iter().map(|axis| axis + new))
            .collect(),
    };
    if layout.dims == dims {
        let input = Activation { layout, ..input };
        return cx.alias(node, input);
    }
    let strides = layout.strides();
    let mut axes = Vec::new();
    for &axis in &layout.order {
        axes.push(match layout.dims[axis] {
            1 => (dims[axis], 0),
            size if size == dims[axis] => (size, strides[axis]),
            _ => return Err(misfit()),
        });
    }
    let layout = Layout { dims, ..layout };
    cx.add_move(node, copy(0, &axes)?, &[&input], layout)
}

pub(super) fn lower_tile(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let input = cx.movable(node, 0)?;
    let dims = cx.output_dims(node)?.to_vec();
    let sizes = &input.layout.dims;
    let misfit = || Refusal::Shape {
        found: vec![sizes.clone(), dims.clone()],
    };
    let mut pairs = dims.iter().zip(sizes);
    let fits = dims.len() == sizes.len() && pairs.all(|(to, from)| *from > 0 && to % from == 0);
    if !fits {
        return Err(misfit());
    }
    if dims == *sizes {
        return cx.alias(node, input);
    }
    if let Ok(copy) = tiled(&input.layout, &dims) {
        let layout = Layout {
            order: input.layout.order.clone(),
            dims,
        };
        return cx.add_move(node, copy, &[&input], layout);
    }
    // Too many axes for one view: half of them first.
    let half = dims.len() / 2;
    let layout = Layout {
        dims: [&sizes[..half], &dims[half..]].concat(),
        order: input.layout.order.clone(),
    };
    let (kind, stage) = (cx.kind(&input), input.stage);
    let copy = tiled(&input.layout, &layout.dims)?;
    let between = cx.add_step(node, kind, copy, &[&input], layout.clone())?;
    let between = Activation { stage, ..between };
    let copy = tiled(&layout, &dims)?;
    let layout = Layout { dims, ..layout };
    cx.add_move(node, copy, &[&between], layout)
}

/// The copy that repeats the axes of `layout` to be `dims`.
fn tiled(layout: &Layout, dims: &[usize]) -> Result<Copy, Refusal> {
    let strides = layout.strides();
    let axis = |&axis: &usize| {
        let size = layout.dims[axis];
        [(dims[axis] / size, 0), (size, strides[axis])]
    };
    let axes: Vec<_> = layout.order.iter().flat_map(axis).collect();
    copy(0, &axes)
}
