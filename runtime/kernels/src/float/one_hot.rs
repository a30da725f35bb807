//! One value where an int32 index says along a new axis, another elsewhere.

use super::index::{movable, wrap};
use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one};
use crate::set::KernelSet;
use bytemuck::Pod;
use serde::{Deserialize, Serialize};

/// Parameters: int32 indices `[outer][inner]` to `[outer][depth][inner]`. An index out of range is
/// nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OneHot {
    /// Type of the output.
    pub element: Element,
    /// What lies outside of the new axis.
    pub outer: usize,
    /// Elements along the new axis.
    pub depth: usize,
    /// What lies inside of the new axis.
    pub inner: usize,
    /// The value where the index says.
    pub on: f32,
    /// The value elsewhere.
    pub off: f32,
}

impl OneHot {
    fn fill<T: Pod>(&self, args: &mut Args<'_>, on: T, off: T) {
        let indices = args.input::<i32>(0).chunks_exact(self.inner);
        let out = args.output::<T>(0);
        out.fill(off);
        for (indices, out) in indices.zip(out.chunks_exact_mut(self.depth * self.inner)) {
            for (column, &index) in indices.iter().enumerate() {
                if let Some(place) = wrap(index, self.depth) {
                    out[place * self.inner + column] = on;
                }
            }
        }
    }
}

impl Operator for OneHot {
    fn kind(&self) -> &'static str {
        "one_hot"
    }

    fn check(&self) -> Result<(), Fault> {
        movable(self.element)?;
        checked_len(&[self.outer, self.depth, self.inner]).map(drop)
    }

    fn inputs(&self) -> Extents {
        one(Element::I32, self.outer * self.inner)
    }

    fn outputs(&self) -> Extents {
        one(self.element, self.outer * self.depth * self.inner)
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        let (on, off) = (self.on, self.off);
        match self.element {
            Element::F32 => self.fill(&mut args, on, off),
            Element::I8 => self.fill(&mut args, on as i8, off as i8),
            _ => self.fill(&mut args, on as i32, off as i32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{floats, hostile, ints, run};
    use super::*;

    const ONE_HOT: OneHot = OneHot {
        element: Element::F32,
        outer: 1,
        depth: 3,
        inner: 4,
        on: 5.0,
        off: 2.0,
    };

    #[test]
    fn indices_out_of_range_are_nowhere() {
        let got = run(&ONE_HOT, &[ints(&[0, 2, -1, 3])], &[]);
        let rows = [[5.0, 2.0, 2.0, 2.0], [2.0; 4], [2.0, 5.0, 5.0, 2.0]];
        assert_eq!(got[0], floats(&rows.concat()));
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[ONE_HOT]);
    }
}
