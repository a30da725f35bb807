//! Slices.

use super::super::schema::options;
use super::super::translation::{Stop, Translation};
use crate::error::Refusal;
use crate::import::source::ValueId;

/// `SLICE`: begin and size; a size of −1 reaches to the end, and the result tells how far.
pub fn slice(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let input = cx.real(0)?;
    let begin = cx.integers(1)?;
    let result = cx.result(0)?.dims.clone();
    if begin.len() != result.len() || cx.dims(input).len() != result.len() {
        return Err(refused("begin", &begin));
    }
    let ranges = begin.iter().zip(&result);
    let ranges = ranges.map(|(&begin, &size)| Range {
        begin,
        end: begin.saturating_add(size as i64),
        step: 1,
    });
    let ranges: Vec<_> = ranges.collect();
    let real = sliced(cx, input, &ranges)?;
    cx.finish_result(0, real)
}

/// `STRIDED_SLICE`, as in NumPy, but for new axes and ellipses.
pub fn strided_slice(cx: &mut Translation<'_>) -> Result<(), Stop> {
    let (mut masks, mut is_offset) = ([0; 5], false);
    if let Some(options) = cx.options(options::STRIDED_SLICE)? {
        for (field, mask) in masks.iter_mut().enumerate() {
            *mask = options.int(field, 0)?;
        }
        is_offset = options.byte(5, 0)? != 0;
    }
    let [
        begin_mask,
        end_mask,
        ellipsis_mask,
        new_axis_mask,
        shrink_mask,
    ] = masks;
    for (attribute, mask) in [
        ("ellipsis_mask", ellipsis_mask),
        ("new_axis_mask", new_axis_mask),
    ] {
        if mask != 0 {
            return Err(refused(attribute, &[mask.into()]));
        }
    }
    let input = cx.real(0)?;
    let dims = cx.dims(input).to_vec();
    let (begin, end, step) = (cx.integers(1)?, cx.integers(2)?, cx.integers(3)?);
    let fits = begin.len() <= dims.len() && begin.len() < 32;
    if !fits || end.len() != begin.len() || step.len() != begin.len() {
        return Err(refused("begin", &begin));
    }
    let mut ranges = Vec::new();
    for (axis, &size) in dims.iter().enumerate().take(begin.len()) {
        let is_in = |mask: i32| mask >> axis & 1 != 0;
        let end = match is_offset {
            true => begin[axis].saturating_add(end[axis]),
            false => end[axis],
        };
        let stated = Range {
            begin: begin[axis],
            end,
            step: step[axis],
        };
        ranges.push(match is_in(shrink_mask) {
            true => stated.single(size),
            false => stated.within(size, is_in(begin_mask), is_in(end_mask))?,
        });
    }
    let real = sliced(cx, input, &ranges)?;
    let dims = cx.result(0)?.dims.clone();
    let real = cx.reshaped(real, &dims);
    cx.finish_result(0, real)
}

/// Elements `begin`, `begin + step`, … before `end`; from the front, and −1 where a negative step
/// leaves the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    begin: i64,
    end: i64,
    step: i64,
}

impl Range {
    /// The range in an axis of that size, with open ends where the masks say so.
    fn within(self, size: usize, is_begin_open: bool, is_end_open: bool) -> Result<Self, Stop> {
        let size = size as i64;
        if self.step == 0 {
            return Err(refused("strides", &[0]));
        }
        let from_front = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
        let (first, last) = if self.step > 0 {
            (0, size)
        } else {
            (-1, size - 1)
        };
        let (open_begin, open_end) = if self.step > 0 {
            (0, size)
        } else {
            (size - 1, -1)
        };
        let limited = |at: i64, is_open: bool, open: i64| match is_open {
            true => open,
            false => from_front(at).clamp(first, last.max(first)),
        };
        Ok(Self {
            begin: limited(self.begin, is_begin_open, open_begin),
            end: limited(self.end, is_end_open, open_end),
            step: self.step,
        })
    }

    /// The one element at `begin`.
    fn single(self, size: usize) -> Self {
        let begin = match self.begin {
            at if at < 0 => at.saturating_add(size as i64),
            at => at,
        };
        Self {
            begin,
            end: begin.saturating_add(1),
            step: 1,
        }
    }

    fn len(self) -> usize {
        let (distance, step) = match self.step > 0 {
            true => (self.end.saturating_sub(self.begin), self.step),
            false => (
                self.begin.saturating_sub(self.end),
                self.step.saturating_neg(),
            ),
        };
        (distance.max(0) as u64).div_ceil(step as u64) as usize
    }
}

/// `Slice` of the first axes.
fn sliced(cx: &mut Translation<'_>, input: ValueId, ranges: &[Range]) -> Result<ValueId, Stop> {
    let mut dims = cx.dims(input).to_vec();
    for (dim, range) in dims.iter_mut().zip(ranges) {
        let size = *dim as i64;
        let is_inside = range.begin >= 0 && range.begin < size && range.end <= size;
        *dim = range.len();
        if !is_inside || *dim == 0 {
            return Err(refused("begin", &[range.begin, range.end]));
        }
    }
    // ONNX counts a negative end from the back: one before the front is −size − 1.
    let size = |axis: usize| cx.dims(input)[axis] as i64;
    let end = |(axis, range): (usize, &Range)| match range.end {
        end if end < 0 => -size(axis) - 1,
        end => end,
    };
    let ends: Vec<_> = ranges.iter().enumerate().map(end).collect();
    let begins: Vec<_> = ranges.iter().map(|range| range.begin).collect();
    let steps: Vec<_> = ranges.iter().map(|range| range.step).collect();
    let axes: Vec<_> = (0..ranges.len() as i64).collect();
    let operands = [
        input,
        cx.list("starts", &begins),
        cx.list("ends", &ends),
        cx.list("axes", &axes),
        cx.list("steps", &steps),
    ];
    Ok(cx.node("Slice", &operands, &[], &dims))
}

fn refused(attribute: &'static str, value: &[i64]) -> Stop {
    Refusal::Attribute {
        attribute,
        value: format!("{value:?}"),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(begin: i64, end: i64, step: i64) -> Range {
        Range { begin, end, step }
    }

    #[test]
    fn ranges_are_numpys() {
        let within = |it: Range, open: bool| it.within(5, open, open).unwrap();
        assert_eq!(within(range(-4, 9, 2), false), range(1, 5, 2));
        assert_eq!(range(1, 5, 2).len(), 2);
        assert_eq!(within(range(3, 4, 1), true), range(0, 5, 1));
        assert_eq!(within(range(0, 0, -2), true), range(4, -1, -2));
        assert_eq!(range(4, -1, -2).len(), 3);
        assert_eq!(within(range(9, 1, -1), false), range(4, 1, -1));
        assert_eq!(range(2, 2, 1).len(), 0);
        assert_eq!(range(-2, 0, 7).single(5), range(3, 4, 1));
        assert!(range(0, 1, 0).within(5, false, false).is_err());
    }
}
