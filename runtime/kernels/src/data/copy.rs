//! Copy of a strided view: transpose, slice, expand, flip, tile, nearest resize by a whole number.

use super::Moves;
use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one};
use crate::set::KernelSet;
use crate::view::{AXES, Strides, for_each, for_each_row};
use bytemuck::Pod;
use serde::{Deserialize, Serialize};

/// Parameters of a copy. The output is row major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// Type of the elements.
    pub element: Element,
    /// Elements of the output along each axis.
    pub dims: [usize; AXES],
    /// How the input is read.
    pub input: Strides,
    /// Elements of the input.
    pub input_len: usize,
}

impl Operator for Copy {
    fn kind(&self) -> &'static str {
        "copy"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.input_len])?;
        self.input.check(self.dims, self.input_len)
    }

    fn inputs(&self) -> Extents {
        one(self.element, self.input_len)
    }

    fn outputs(&self) -> Extents {
        one(self.element, self.dims.iter().product())
    }

    fn run(&self, _set: &KernelSet, mut args: Args<'_>) {
        let input = args.inputs[0];
        super::run(self, self.element, [input], args.output(0));
    }
}

impl Moves for Copy {
    fn moves<T: Pod>(&self, inputs: &[&[T]], output: &mut [T]) {
        let input = inputs[0];
        let (dims, view) = (self.dims, self.input);
        let (inner, run) = contiguous(dims, &view);
        if run > 1 {
            let mut outer = dims;
            outer[inner..].fill(1);
            let mut runs = output.chunks_exact_mut(run);
            for_each(outer, |index| {
                if let Some(to) = runs.next() {
                    to.copy_from_slice(&input[view.at(index)..][..run]);
                }
            });
            return;
        }
        let mut rows = output.chunks_exact_mut(dims[AXES - 1]);
        for_each_row(dims, [&view], |[mut at]| {
            for to in rows.next().into_iter().flatten() {
                *to = input[at];
                at = at.wrapping_add_signed(view.strides[AXES - 1]);
            }
        });
    }
}

/// The first axis from which on the elements are neighbours, and how many they are.
fn contiguous(dims: [usize; AXES], view: &Strides) -> (usize, usize) {
    let (mut axis, mut run) = (AXES, 1);
    while axis > 0 && (dims[axis - 1] == 1 || view.strides[axis - 1] == run as isize) {
        axis -= 1;
        run *= dims[axis];
    }
    (axis, run)
}
