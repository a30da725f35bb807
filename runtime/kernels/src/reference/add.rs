//! Addition of two activations of one shape (the residual of a ResNet).

use crate::num::{Multiplier, Output};
use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, checked_len, extents, one};
use crate::rules;
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of an addition, as TFLite's int8 `ADD` defines them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Add {
    /// Elements of each operand and of the sum.
    pub len: usize,
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
    /// One element of the sum.
    pub const fn element(&self, a: i8, b: i8) -> i8 {
        let a = self.factors[0].apply((a as i32 - self.zeros[0] as i32) << LEFT_SHIFT);
        let b = self.factors[1].apply((b as i32 - self.zeros[1] as i32) << LEFT_SHIFT);
        self.store.store(self.factor.apply(a.wrapping_add(b)))
    }
}

impl Operator for Add {
    fn kind(&self) -> &'static str {
        "add"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.len])?;
        self.factors.into_iter().try_for_each(rules::factor)?;
        rules::factor(self.factor)?;
        rules::store(&self.store)
    }

    fn inputs(&self) -> Extents {
        extents(&[Extent::new(Element::I8, self.len); 2])
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.len)
    }

    fn in_place(&self) -> bool {
        true
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

/// Writes `a + b` to `output`.
pub fn add(params: &Add, a: &[i8], b: &[i8], output: &mut [i8]) {
    for (out, (&a, &b)) in output.iter_mut().zip(a.iter().zip(b)) {
        *out = params.element(a, b);
    }
}

/// Replaces `a` by `a + b`.
pub fn add_in_place(params: &Add, a: &mut [i8], b: &[i8]) {
    for (a, &b) in a.iter_mut().zip(b) {
        *a = params.element(*a, b);
    }
}
