//! Sums of all elements before one, along an axis.

use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one, require};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of cumulative sums along the middle axis of `[outer][len][inner]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CumSum {
    /// Type of the elements: float or int32, whose sums wrap.
    pub element: Element,
    /// What lies outside of the axis.
    pub outer: usize,
    /// Elements along the axis.
    pub len: usize,
    /// What lies inside of the axis.
    pub inner: usize,
    /// Each sum is without the element itself.
    pub exclusive: bool,
    /// Sums are over what follows.
    pub reverse: bool,
}

impl CumSum {
    fn sum<T: bytemuck::Pod>(&self, args: &mut Args<'_>, add: impl Fn(T, T) -> T) {
        let input: &[T] = args.input(0);
        let inner = self.inner;
        let blocks = input.chunks_exact(self.len * inner);
        for (block, out) in blocks.zip(args.output(0).chunks_exact_mut(self.len * inner)) {
            let at = |step: usize| {
                if self.reverse {
                    self.len - 1 - step
                } else {
                    step
                }
            };
            for step in 0..self.len {
                // The row of sums before this one; what is added to it lies at `source`.
                let previous = step.checked_sub(1).map(at);
                let source = if self.exclusive {
                    previous
                } else {
                    Some(at(step))
                };
                for column in 0..inner {
                    let sum = previous.map_or(T::zeroed(), |row| out[row * inner + column]);
                    let x = source.map_or(T::zeroed(), |row| block[row * inner + column]);
                    out[at(step) * inner + column] = add(sum, x);
                }
            }
        }
    }
}

impl Operator for CumSum {
    fn kind(&self) -> &'static str {
        "cum_sum"
    }

    fn check(&self) -> Result<(), Fault> {
        let known = matches!(self.element, Element::F32 | Element::I32);
        require(known, Fault::Shape)?;
        checked_len(&[self.outer, self.len, self.inner]).map(drop)
    }

    fn inputs(&self) -> Extents {
        one(self.element, self.outer * self.len * self.inner)
    }

    fn outputs(&self) -> Extents {
        one(self.element, self.outer * self.len * self.inner)
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        match self.element {
            Element::F32 => self.sum(&mut args, |a: f32, b| a + b),
            _ => self.sum(&mut args, i32::wrapping_add),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{floats, hostile, ints, run};
    use super::*;

    const SUMS: CumSum = CumSum {
        element: Element::I32,
        outer: 1,
        len: 3,
        inner: 2,
        exclusive: false,
        reverse: false,
    };

    #[test]
    fn every_direction() {
        let expected = [
            (false, false, [1, 10, 3, 30, 6, 60]),
            (true, false, [0, 0, 1, 10, 3, 30]),
            (false, true, [6, 60, 5, 50, 3, 30]),
            (true, true, [5, 50, 3, 30, 0, 0]),
        ];
        for (exclusive, reverse, expected) in expected {
            let params = CumSum {
                exclusive,
                reverse,
                ..SUMS
            };
            let input = [1, 10, 2, 20, 3, 30];
            assert_eq!(run(&params, &[ints(&input)], &[])[0], ints(&expected));
            let params = CumSum {
                element: Element::F32,
                ..params
            };
            let got = run(&params, &[floats(&input.map(|x| x as f32))], &[]);
            assert_eq!(got[0], floats(&expected.map(|x| x as f32)));
        }
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[
            SUMS,
            CumSum {
                reverse: true,
                ..SUMS
            },
        ]);
    }
}
