//! Cases of the operators that move elements. No set overrides them: what the cases show is that
//! they stay within their operands.

use super::{Case, Operand, Rng};
use crate::data::concat::Concat;
use crate::data::copy::Copy;
use crate::data::delay::Delay;
use crate::data::gather::Gather;
use crate::data::pad_by::{Fill, PadBy};
use crate::data::select::Select;
use crate::operator::{Element, OPERANDS_MAX};
use crate::view::Strides;
use bytemuck::cast_slice_mut;

fn element(rng: &mut Rng) -> Element {
    [Element::I8, Element::I16, Element::I32, Element::F32][rng.size(0..=3)]
}

impl Case for Copy {
    fn random(rng: &mut Rng) -> Self {
        let dims = rng.dims(1..=4);
        let input = rng.view(dims);
        Self {
            element: element(rng),
            dims,
            input,
            input_len: input.reach(dims) + rng.size(0..=3),
        }
    }
}

impl Case for Concat {
    fn random(rng: &mut Rng) -> Self {
        let mut inner = [0; OPERANDS_MAX];
        let operands = rng.size(1..=OPERANDS_MAX);
        inner[..operands].fill_with(|| rng.size(1..=9));
        Self {
            element: element(rng),
            outer: rng.size(1..=9),
            inner,
        }
    }
}

impl Case for Gather {
    fn random(rng: &mut Rng) -> Self {
        Self {
            element: element(rng),
            outer: rng.size(1..=3),
            axis_len: rng.size(1..=9),
            inner: rng.size(1..=9),
            indices_len: rng.size(1..=9),
            constant: rng.once_in(2),
        }
    }

    fn fill(&self, rng: &mut Rng, operand: Operand, bytes: &mut [u8]) {
        if operand == Operand::Input(0) {
            return rng.fill(cast_slice_mut(bytes));
        }
        let indices: &mut [i32] = cast_slice_mut(bytes);
        let len = self.axis_len as i32;
        indices.fill_with(|| {
            if rng.once_in(4) {
                rng.int32()
            } else {
                rng.size(0..=2 * self.axis_len - 1) as i32 - len
            }
        });
    }
}

impl Case for PadBy {
    fn random(rng: &mut Rng) -> Self {
        let input = rng.dims(1..=3);
        let (mut before, mut output) = ([0; 6], input);
        for axis in 2..6 {
            if rng.once_in(2) {
                before[axis] = rng.size(0..=2);
                output[axis] += before[axis] + rng.size(0..=2);
            }
        }
        let fill = match rng.size(0..=4) {
            0 => Fill::Edge,
            1 => Fill::Reflect,
            2 => Fill::Wrap,
            _ => Fill::Value(rng.int32().to_le_bytes()),
        };
        Self {
            element: element(rng),
            input,
            output,
            before,
            fill,
        }
    }
}

impl Case for Delay {
    fn random(rng: &mut Rng) -> Self {
        Self {
            element: element(rng),
            frame_len: rng.size(1..=9),
            frames: rng.size(1..=5),
            delay: rng.size(0..=7),
            overlap: rng.size(1..=7),
            fill: rng.int8(),
        }
    }
}

impl Case for Select {
    fn random(rng: &mut Rng) -> Self {
        let dims = rng.dims(1..=4);
        let mut view = || {
            if rng.once_in(2) {
                Strides::row_major(dims)
            } else {
                rng.view(dims)
            }
        };
        let (condition, a, b) = (view(), view(), view());
        Self {
            element: element(rng),
            dims,
            condition,
            a,
            b,
        }
    }

    fn fill(&self, rng: &mut Rng, operand: Operand, bytes: &mut [u8]) {
        if operand == Operand::Input(0) {
            bytes.fill_with(|| u8::from(rng.once_in(2)));
        } else {
            rng.fill(cast_slice_mut(bytes));
        }
    }
}
