//! `Slice` and `Split`: copies of parts of the operand, in the operand's own order in memory.

use super::Lowering;
use super::axes::{axis_of, copy, refused};
use super::operand::Activation;
use super::parameters::wrapped;
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
use crate::ops::copy::Copy;
use crate::report::Fate;

/// The part of one axis that a slice keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub start: usize,
    pub len: usize,
    pub step: isize,
}

impl Part {
    /// All of `len` elements.
    pub const fn whole(len: usize) -> Self {
        Self {
            start: 0,
            len,
            step: 1,
        }
    }

    /// ONNX's rule: negative bounds count from the end, then both are clamped to the axis.
    fn new(start: i64, end: i64, step: i64, size: usize) -> Option<Self> {
        let size = i64::try_from(size).ok()?;
        let (low, high) = if step > 0 { (0, size) } else { (-1, size - 1) };
        let bound = |at: i64| (if at < 0 { at.saturating_add(size) } else { at }).clamp(low, high);
        let start_max = if step > 0 { size } else { size - 1 };
        let (start, end) = (bound(start).clamp(0, start_max.max(0)), bound(end));
        let distance = if step > 0 { end - start } else { start - end };
        let len = distance.max(0).unsigned_abs().div_ceil(step.unsigned_abs());
        Some(Self {
            start: start as usize,
            len: len as usize,
            step: isize::try_from(step).ok()?,
        })
    }
}

/// The view of `parts` of an operand in `layout`, and the layout of its copy.
pub(super) fn view(layout: &Layout, parts: &[Part]) -> Result<(Copy, Layout), Refusal> {
    let strides = layout.strides();
    let first = parts.iter().zip(&strides);
    let offset = first.map(|(part, stride)| part.start * stride.unsigned_abs());
    let axes = layout.order.iter();
    let axes: Vec<_> = axes
        .map(|&axis| {
            // An axis of one element has no step that could overflow.
            let step = if parts[axis].len > 1 {
                parts[axis].step
            } else {
                0
            };
            (parts[axis].len, strides[axis] * step)
        })
        .collect();
    let layout = Layout {
        dims: parts.iter().map(|part| part.len).collect(),
        order: layout.order.clone(),
    };
    if layout.len() == 0 {
        return Err(Refusal::Shape {
            found: vec![layout.dims],
        });
    }
    Ok((copy(offset.sum(), &axes)?, layout))
}

/// Adds the copy of `parts` of `input` as the result of `node`.
pub(super) fn add(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    input: &Activation,
    parts: &[Part],
) -> Result<Fate, Refusal> {
    let whole = |(part, &dim): (&Part, &usize)| *part == Part::whole(dim);
    if parts.iter().zip(&input.layout.dims).all(whole) {
        return cx.alias(node, input.clone());
    }
    let (view, layout) = view(&input.layout, parts)?;
    cx.add_move(node, view, &[input], layout)
}

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let input = cx.movable(node, 0)?;
    let dims = input.layout.dims.clone();
    let missing = |operand| Refusal::OperandMissing { operand };
    let starts = cx.list(node, "starts", 1)?.ok_or_else(|| missing(1))?;
    let ends = cx.list(node, "ends", 2)?.ok_or_else(|| missing(2))?;
    let axes = cx.list(node, "axes", 3)?;
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = cx.whole_numbers(node, 4)?;
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(refused("starts", &starts));
    }
    let mut parts: Vec<_> = dims.iter().map(|&dim| Part::whole(dim)).collect();
    for (index, &axis) in axes.iter().enumerate() {
        let axis = wrapped(axis, dims.len()).ok_or_else(|| refused("axes", &axes))?;
        let part = match steps[index] {
            0 => None,
            step => Part::new(starts[index], ends[index], step, dims[axis]),
        };
        parts[axis] = part.ok_or_else(|| refused("steps", &steps))?;
    }
    let lens: Vec<_> = parts.iter().map(|part| part.len).collect();
    if cx.output_dims(node)? != lens {
        return Err(Refusal::Shape {
            found: vec![dims, lens],
        });
    }
    add(cx, node, &input, &parts)
}

/// Every result is a copy of its own; the sizes are those of the results.
pub(super) fn lower_split(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let input = cx.movable(node, 0)?;
    let dims = input.layout.dims.clone();
    let axis = axis_of(node.attributes.int("axis", 0)?, dims.len())?;
    let mut parts: Vec<_> = dims.iter().map(|&dim| Part::whole(dim)).collect();
    let (mut start, mut fate) = (0, Fate::Unused);
    for &output in &node.outputs {
        let Some(value) = output else {
            return Err(refused("split", &"an unnamed result"));
        };
        let found = &cx.source.value(value).dims;
        let len = found.get(axis).copied().unwrap_or(0);
        parts[axis] = Part {
            start,
            len,
            step: 1,
        };
        start += len;
        let fits = found.len() == dims.len() && start <= dims[axis];
        if !fits {
            return Err(Refusal::Shape {
                found: vec![dims, found.clone()],
            });
        }
        if cx.uses[value.0] > 0 {
            let single = SourceNode {
                outputs: vec![output],
                ..node.clone()
            };
            fate = add(cx, &single, &input, &parts)?;
        }
    }
    Ok(fate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(start: i64, end: i64, step: i64) -> (usize, usize) {
        let part = Part::new(start, end, step, 10).unwrap();
        (part.start, part.len)
    }

    #[test]
    fn bounds_are_clamped_as_onnx_says() {
        assert_eq!(part(2, 5, 1), (2, 3));
        assert_eq!(part(-3, i64::MAX, 1), (7, 3));
        assert_eq!(part(1, 100, 4), (1, 3));
        assert_eq!(part(-1, i64::MIN, -1), (9, 10));
        assert_eq!(part(20, 3, -2), (9, 3));
        assert_eq!(part(5, 2, 1), (5, 0));
    }
}
