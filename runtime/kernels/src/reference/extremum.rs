//! Larger or smaller of two activations, element by element.

use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, extents, one};
use crate::set::KernelSet;
use crate::view::Broadcast;
use serde::{Deserialize, Serialize};

/// Parameters of an extremum. Operands and output have one scale and one zero point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extremum {
    /// Whether the larger one is the result, and not the smaller one.
    pub maximum: bool,
    /// The operands' elements.
    pub broadcast: Broadcast,
}

impl Extremum {
    /// One element of the result.
    pub const fn element(&self, a: i8, b: i8) -> i8 {
        if (a > b) == self.maximum { a } else { b }
    }
}

impl Operator for Extremum {
    fn kind(&self) -> &'static str {
        if self.maximum { "maximum" } else { "minimum" }
    }

    fn check(&self) -> Result<(), Fault> {
        self.broadcast.check()
    }

    fn inputs(&self) -> Extents {
        extents(
            &self
                .broadcast
                .operands()
                .map(|len| Extent::new(Element::I8, len)),
        )
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.broadcast.len())
    }

    fn in_place(&self) -> bool {
        self.broadcast.in_place()
    }

    fn run(&self, _set: &KernelSet, mut args: Args<'_>) {
        let (in_place, b) = (args.in_place, args.input(1));
        let f = |a, b| self.element(a, b);
        if in_place {
            self.broadcast.zip_in_place(args.output(0), b, f);
        } else {
            let a = args.input(0);
            self.broadcast.zip(a, b, args.output(0), f);
        }
    }
}
