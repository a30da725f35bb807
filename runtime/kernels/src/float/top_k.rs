//! The k largest or smallest elements along an axis, sorted, and where they are.

use crate::operator::{Args, Element, Extent, Extents, Fault, Operator};
use crate::operator::{checked_len, extents, one, require};
use crate::set::KernelSet;
use core::cmp::Ordering;
use serde::{Deserialize, Serialize};

/// Parameters of a selection along the middle axis of `[outer][len][inner]`. The outputs are the
/// values and the int32 places, both `[outer][k][inner]`; of equals, the first comes first. NaN is
/// larger than any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopK {
    /// What lies outside of the axis.
    pub outer: usize,
    /// Elements along the axis.
    pub len: usize,
    /// What lies inside of the axis.
    pub inner: usize,
    /// Elements that are taken.
    pub k: usize,
    /// The largest are taken, else the smallest.
    pub largest: bool,
}

impl TopK {
    fn order(&self, a: f32, b: f32) -> Ordering {
        // Both zeros are equal once 0 is added.
        let order = (a + 0.0).total_cmp(&(b + 0.0));
        if self.largest { order.reverse() } else { order }
    }
}

impl Operator for TopK {
    fn kind(&self) -> &'static str {
        "top_k_f32"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.outer, self.len, self.inner])?;
        require(self.k > 0 && self.k <= self.len, Fault::Shape)
    }

    fn inputs(&self) -> Extents {
        one(Element::F32, self.outer * self.len * self.inner)
    }

    fn outputs(&self) -> Extents {
        let len = self.outer * self.k * self.inner;
        extents(&[
            Extent::new(Element::F32, len),
            Extent::new(Element::I32, len),
        ])
    }

    fn scratch_bytes(&self) -> usize {
        self.len * size_of::<i32>()
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        let input: &[f32] = args.input(0);
        let places: &mut [i32] = bytemuck::cast_slice_mut(core::mem::take(&mut args.scratch));
        for column in 0..self.outer * self.inner {
            let (block, inside) = (column / self.inner, column % self.inner);
            let value =
                |place: i32| input[(block * self.len + place as usize) * self.inner + inside];
            let order = |a: &i32, b: &i32| self.order(value(*a), value(*b)).then(a.cmp(b));
            places
                .iter_mut()
                .zip(0..)
                .for_each(|(place, at)| *place = at);
            if self.k < self.len {
                places.select_nth_unstable_by(self.k - 1, order);
            }
            let best = &mut places[..self.k];
            best.sort_unstable_by(order);
            let first = block * self.k * self.inner + inside;
            let outs = (first..).step_by(self.inner);
            for (at, &place) in outs.zip(&*best) {
                args.output(0)[at] = value(place);
                args.output(1)[at] = place;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{floats, hostile, ints, run};
    use super::*;

    #[test]
    fn sorted_and_the_first_of_equals_first() {
        let input = floats(&[1.0, 4.0, 3.0, 4.0, 3.0, -0.0, 2.0, 0.0]);
        let top = TopK {
            outer: 1,
            len: 4,
            inner: 2,
            k: 3,
            largest: true,
        };
        let got = run(&top, core::slice::from_ref(&input), &[]);
        assert_eq!(got[0], floats(&[3.0, 4.0, 3.0, 4.0, 2.0, -0.0]));
        assert_eq!(got[1], ints(&[1, 0, 2, 1, 3, 2]));
        let smallest = TopK {
            largest: false,
            k: 4,
            ..top
        };
        let got = run(&smallest, &[input], &[]);
        assert_eq!(got[1], ints(&[0, 2, 3, 3, 1, 0, 2, 1]));
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[TopK {
            outer: 2,
            len: 9,
            inner: 2,
            k: 3,
            largest: true,
        }]);
    }
}
