//! One of two operands, element by element, as a condition says.

use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, extents, one};
use crate::set::KernelSet;
use crate::view::{AXES, Strides, for_each_row};
use bytemuck::{Pod, cast_slice, cast_slice_mut};
use serde::{Deserialize, Serialize};

/// Parameters of a choice. The operands are the condition, of int8, and what is chosen where it
/// is not 0 and where it is; the output is row major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Select {
    /// Type of what is chosen from.
    pub element: Element,
    /// Elements of the output along each axis.
    pub dims: [usize; AXES],
    /// How the condition is read.
    pub condition: Strides,
    /// How the operand is read that is chosen where the condition is not 0.
    pub a: Strides,
    /// How the operand is read that is chosen where the condition is 0.
    pub b: Strides,
}

impl Select {
    fn select<T: Pod>(&self, condition: &[i8], [a, b]: [&[T]; 2], output: &mut [T]) {
        let views = [&self.condition, &self.a, &self.b];
        let steps = views.map(|view| view.strides[AXES - 1]);
        let mut rows = output.chunks_exact_mut(self.dims[AXES - 1]);
        for_each_row(self.dims, views, |mut at| {
            for out in rows.next().into_iter().flatten() {
                *out = if condition[at[0]] != 0 {
                    a[at[1]]
                } else {
                    b[at[2]]
                };
                for (at, step) in at.iter_mut().zip(steps) {
                    *at = at.wrapping_add_signed(step);
                }
            }
        });
    }
}

impl Operator for Select {
    fn kind(&self) -> &'static str {
        "select"
    }

    fn check(&self) -> Result<(), Fault> {
        [self.condition, self.a, self.b]
            .iter()
            .try_for_each(|view| view.check_reach(self.dims))
    }

    fn inputs(&self) -> Extents {
        let reach = |view: &Strides| view.reach(self.dims);
        extents(&[
            Extent::new(Element::I8, reach(&self.condition)),
            Extent::new(self.element, reach(&self.a)),
            Extent::new(self.element, reach(&self.b)),
        ])
    }

    fn outputs(&self) -> Extents {
        one(self.element, self.dims.iter().product())
    }

    fn run(&self, _set: &KernelSet, mut args: Args<'_>) {
        let condition = args.input(0);
        let [a, b] = [args.inputs[1], args.inputs[2]];
        let output = &mut *args.outputs[0];
        match self.element.bytes() {
            1 => self.select::<u8>(condition, [a, b], output),
            2 => self.select::<u16>(condition, [a, b].map(cast_slice), cast_slice_mut(output)),
            _ => self.select::<u32>(condition, [a, b].map(cast_slice), cast_slice_mut(output)),
        }
    }
}
