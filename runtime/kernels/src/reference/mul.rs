//! Product of two activations, element by element.

use crate::num::{Multiplier, Output};
use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, extents, one};
use crate::rules;
use crate::set::KernelSet;
use crate::view::Broadcast;
use serde::{Deserialize, Serialize};

/// Parameters of a product, as TFLite's int8 `MUL` defines them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mul {
    /// The operands' elements.
    pub broadcast: Broadcast,
    /// Zero point of each operand.
    pub zeros: [i8; 2],
    /// The product of the operands' scales over the output's scale.
    pub factor: Multiplier,
    /// How products become outputs.
    pub store: Output,
}

impl Mul {
    /// One element of the product.
    pub const fn element(&self, a: i8, b: i8) -> i8 {
        let a = a as i32 - self.zeros[0] as i32;
        let b = b as i32 - self.zeros[1] as i32;
        self.store.store(self.factor.apply(a * b))
    }
}

impl Operator for Mul {
    fn kind(&self) -> &'static str {
        "mul"
    }

    fn check(&self) -> Result<(), Fault> {
        self.broadcast.check()?;
        rules::factor(self.factor)?;
        rules::store(&self.store)
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

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        if args.in_place {
            let b = args.input(1);
            (set.mul_in_place)(self, args.output(0), b);
        } else {
            let (a, b) = (args.input(0), args.input(1));
            (set.mul)(self, a, b, args.output(0));
        }
    }
}

/// Writes the product of `a` and `b` to `output`.
pub fn mul(params: &Mul, a: &[i8], b: &[i8], output: &mut [i8]) {
    let broadcast = &params.broadcast;
    broadcast.zip(a, b, output, |a, b| params.element(a, b));
}

/// Replaces `a` by the product.
pub fn mul_in_place(params: &Mul, a: &mut [i8], b: &[i8]) {
    let broadcast = &params.broadcast;
    broadcast.zip_in_place(a, b, |a, b| params.element(a, b));
}
