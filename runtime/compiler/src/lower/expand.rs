//! `Expand` and `Tile`: copies that read elements more than once.

use super::Lowering;
use super::axes::copy;
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
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
        let input = super::operand::Activation { layout, ..input };
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
    let strides = input.layout.strides();
    let axis = |&axis: &usize| {
        let size = sizes[axis];
        [(dims[axis] / size, 0), (size, strides[axis])]
    };
    let axes: Vec<_> = input.layout.order.iter().flat_map(axis).collect();
    let layout = Layout {
        order: input.layout.order.clone(),
        dims,
    };
    cx.add_move(node, copy(0, &axes)?, &[&input], layout)
}
