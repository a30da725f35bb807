//! Where the largest or smallest element along an axis is, as int32.

use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a search along the middle axis of `[outer][len][inner]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgF32 {
    /// What lies outside of the axis.
    pub outer: usize,
    /// Elements along the axis.
    pub len: usize,
    /// What lies inside of the axis.
    pub inner: usize,
    /// The largest is sought, else the smallest.
    pub maximum: bool,
    /// The last of equals is taken, else the first.
    pub last: bool,
}

impl Operator for ArgF32 {
    fn kind(&self) -> &'static str {
        if self.maximum {
            "arg_max_f32"
        } else {
            "arg_min_f32"
        }
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.outer, self.len, self.inner]).map(drop)
    }

    fn inputs(&self) -> Extents {
        one(Element::F32, self.outer * self.len * self.inner)
    }

    fn outputs(&self) -> Extents {
        one(Element::I32, self.outer * self.inner)
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        let input = args.input(0);
        let out = args.output(0);
        match (self.maximum, self.last) {
            (true, false) => self.search(input, out, |x, best| x > best),
            (true, true) => self.search(input, out, |x, best| x >= best),
            (false, false) => self.search(input, out, |x, best| x < best),
            (false, true) => self.search(input, out, |x, best| x <= best),
        }
    }
}

impl ArgF32 {
    fn search(&self, input: &[f32], output: &mut [i32], better: impl Fn(f32, f32) -> bool) {
        let blocks = input.chunks_exact(self.len * self.inner);
        for (block, out) in blocks.zip(output.chunks_exact_mut(self.inner)) {
            for (column, out) in out.iter_mut().enumerate() {
                let (mut best, mut at_best) = (block[column], 0);
                let rest = block[column..].iter().step_by(self.inner).enumerate();
                for (at, &x) in rest.skip(1) {
                    if better(x, best) {
                        (best, at_best) = (x, at);
                    }
                }
                *out = at_best as i32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{floats, hostile, ints, run};
    use super::*;

    #[test]
    fn equals_are_told_apart() {
        // Two rows of three, each element a column of two.
        let input = floats(&[1.0, 5.0, 3.0, 5.0, 3.0, 0.0, 2.0, 2.0, -1.0, 2.0, -1.0, 7.0]);
        let expected = [
            (true, false, [1, 0, 0, 2]),
            (true, true, [2, 1, 0, 2]),
            (false, false, [0, 2, 1, 0]),
            (false, true, [0, 2, 2, 1]),
        ];
        for (maximum, last, expected) in expected {
            let arg = ArgF32 {
                outer: 2,
                len: 3,
                inner: 2,
                maximum,
                last,
            };
            assert_eq!(
                run(&arg, core::slice::from_ref(&input), &[])[0],
                ints(&expected)
            );
        }
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[ArgF32 {
            outer: 2,
            len: 3,
            inner: 2,
            maximum: true,
            last: false,
        }]);
    }
}
