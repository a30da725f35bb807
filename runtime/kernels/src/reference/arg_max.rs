//! Index of the largest or smallest element along an axis.

use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of an arg max or arg min. The input is `[outer][len][inner]`, the output
/// `[outer][inner]` of int32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgMax {
    /// Elements before the axis.
    pub outer: usize,
    /// Elements along the axis.
    pub len: usize,
    /// Elements after the axis.
    pub inner: usize,
    /// Whether the largest one is asked for, and not the smallest one.
    pub maximum: bool,
    /// Whether the last one of equals counts, and not the first one.
    pub last: bool,
}

impl ArgMax {
    /// Whether `new`, which comes later, is to be taken and not `best`.
    const fn replaces(&self, new: i8, best: i8) -> bool {
        if new == best {
            self.last
        } else {
            (new > best) == self.maximum
        }
    }
}

impl Operator for ArgMax {
    fn kind(&self) -> &'static str {
        if self.maximum { "arg_max" } else { "arg_min" }
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.outer, self.len, self.inner]).map(drop)
    }

    fn inputs(&self) -> Extents {
        one(Element::I8, self.outer * self.len * self.inner)
    }

    fn outputs(&self) -> Extents {
        one(Element::I32, self.outer * self.inner)
    }

    fn run(&self, _set: &KernelSet, mut args: Args<'_>) {
        let input = args.input(0);
        arg_max(self, input, args.output(0));
    }
}

/// Writes the index of the extremum of each row of `input`.
pub fn arg_max(params: &ArgMax, input: &[i8], output: &mut [i32]) {
    for (index, out) in output.iter_mut().enumerate() {
        let (outer, inner) = (index / params.inner, index % params.inner);
        let element = |at| input[(outer * params.len + at) * params.inner + inner];
        let mut best = 0;
        for at in 1..params.len {
            if params.replaces(element(at), element(best)) {
                best = at;
            }
        }
        *out = best as i32;
    }
}
