//! Padding of any axis and any type, with a constant or with elements of the input.

use super::Moves;
use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one, require};
use crate::set::KernelSet;
use crate::view::{AXES, Strides, for_each};
use bytemuck::Pod;
use serde::{Deserialize, Serialize};

/// Parameters of a pad. Input and output are row major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PadBy {
    /// Type of the elements.
    pub element: Element,
    /// Elements of the input along each axis.
    pub input: [usize; AXES],
    /// Elements of the output along each axis; what it has more than `before` and the input lies
    /// after the input.
    pub output: [usize; AXES],
    /// Elements before the input along each axis.
    pub before: [usize; AXES],
    /// What the padding holds.
    pub fill: Fill,
}

/// What padding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fill {
    /// The element with these bytes (as many as it has), little endian.
    Value([u8; 4]),
    /// The nearest element of the input.
    Edge,
    /// The input, mirrored about its first and its last element.
    Reflect,
    /// The input, again and again.
    Wrap,
}

impl PadBy {
    /// What lies at `at` along `axis`; `None` is padding by a value.
    fn source(&self, axis: usize, at: usize) -> Option<usize> {
        let len = self.input[axis] as isize;
        let at = at as isize - self.before[axis] as isize;
        if (0..len).contains(&at) {
            return Some(at as usize);
        }
        let at = match self.fill {
            Fill::Value(_) => return None,
            Fill::Edge => at.clamp(0, len - 1),
            Fill::Wrap => at.rem_euclid(len),
            Fill::Reflect => {
                let last = len - 1;
                let there_and_back = at.rem_euclid((2 * last).max(1));
                last - (last - there_and_back).abs()
            }
        };
        Some(at as usize)
    }
}

impl Operator for PadBy {
    fn kind(&self) -> &'static str {
        "pad"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&self.input)?;
        checked_len(&self.output)?;
        let fits = |axis: usize| {
            let (before, outer) = (self.before[axis], self.output[axis]);
            before <= outer && self.input[axis] <= outer - before
        };
        require((0..AXES).all(fits), Fault::Shape)
    }

    fn inputs(&self) -> Extents {
        one(self.element, self.input.iter().product())
    }

    fn outputs(&self) -> Extents {
        one(self.element, self.output.iter().product())
    }

    fn run(&self, _set: &KernelSet, mut args: Args<'_>) {
        let input = args.inputs[0];
        super::run(self, self.element, [input], args.output(0));
    }
}

impl Moves for PadBy {
    fn moves<T: Pod>(&self, inputs: &[&[T]], output: &mut [T]) {
        if let Fill::Value(value) = self.fill {
            output.fill(bytemuck::pod_read_unaligned(&value[..size_of::<T>()]));
        }
        let view = Strides::row_major(self.input);
        let (inner, outer) = (self.input[AXES - 1], self.output[AXES - 1]);
        let mut lines = output.chunks_exact_mut(outer);
        let mut dims = self.output;
        dims[AXES - 1] = 1;
        for_each(dims, |index| {
            let mut from = [0; AXES];
            let inside = (0..AXES - 1).all(|axis| {
                let source = self.source(axis, index[axis]);
                from[axis] = source.unwrap_or(0);
                source.is_some()
            });
            let (Some(line), true) = (lines.next(), inside) else {
                return;
            };
            let from = &inputs[0][view.at(from)..][..inner];
            let before = self.before[AXES - 1];
            line[before..before + inner].copy_from_slice(from);
            for at in (0..before).chain(before + inner..outer) {
                if let Some(source) = self.source(AXES - 1, at) {
                    line[at] = from[source];
                }
            }
        });
    }
}
