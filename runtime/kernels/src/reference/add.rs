//! Addition and subtraction of two activations (the residual of a ResNet).

use crate::num::{Multiplier, Output};
use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, extents, one};
use crate::rules;
use crate::set::KernelSet;
use crate::view::Broadcast;
use serde::{Deserialize, Serialize};

/// Parameters of an addition or subtraction, as TFLite's int8 `ADD` and `SUB` define them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Add {
    /// The operands' elements.
    pub broadcast: Broadcast,
    /// Whether the second operand is subtracted.
    pub subtract: bool,
    /// Zero point of each operand.
    pub zeros: [i8; 2],
    /// Factor of each operand: its scale over twice the larger of both scales.
    pub factors: [Multiplier; 2],
    /// Factor of the sum: twice the larger scale over `2^LEFT_SHIFT` and the output's scale.
    pub factor: Multiplier,
    /// How sums become outputs.
    pub store: Output,
}

/// Bits by which operands are shifted left before they are scaled, to keep precision.
pub const LEFT_SHIFT: u32 = 20;

impl Add {
    /// Elements of the sum.
    pub fn len(&self) -> usize {
        self.broadcast.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.broadcast.is_empty()
    }

    /// One element of the result.
    pub const fn element(&self, a: i8, b: i8) -> i8 {
        let a = self.factors[0].apply((a as i32 - self.zeros[0] as i32) << LEFT_SHIFT);
        let b = self.factors[1].apply((b as i32 - self.zeros[1] as i32) << LEFT_SHIFT);
        let sum = if self.subtract {
            a.wrapping_sub(b)
        } else {
            a.wrapping_add(b)
        };
        self.store.store(self.factor.apply(sum))
    }
}

impl Operator for Add {
    fn kind(&self) -> &'static str {
        if self.subtract { "sub" } else { "add" }
    }

    fn check(&self) -> Result<(), Fault> {
        self.broadcast.check()?;
        self.factors.into_iter().try_for_each(rules::factor)?;
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
        one(Element::I8, self.len())
    }

    fn in_place(&self) -> bool {
        self.broadcast.in_place()
    }

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        if args.in_place {
            let b = args.input(1);
            (set.add_in_place)(self, args.output(0), b);
        } else {
            let (a, b) = (args.input(0), args.input(1));
            (set.add)(self, a, b, args.output(0));
        }
    }
}

/// Writes the sum or difference of `a` and `b` to `output`.
pub fn add(params: &Add, a: &[i8], b: &[i8], output: &mut [i8]) {
    let broadcast = &params.broadcast;
    broadcast.zip(a, b, output, |a, b| params.element(a, b));
}

/// Replaces `a` by the sum or difference.
pub fn add_in_place(params: &Add, a: &mut [i8], b: &[i8]) {
    let broadcast = &params.broadcast;
    broadcast.zip_in_place(a, b, |a, b| params.element(a, b));
}
