//! ReLU with a slope below zero, as a channel (or any other part of the input) has its own.

use crate::num::{Multiplier, Output};
use crate::operator::{Args, Element, Extents, Fault, Operator, one};
use crate::rules;
use crate::set::KernelSet;
use crate::view::Broadcast;
use serde::{Deserialize, Serialize};

/// Parameters of a parametric ReLU. Its constant are int16 slopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PRelu {
    /// The input's elements, and the slope of each.
    pub broadcast: Broadcast,
    /// Zero point of the input.
    pub zero: i8,
    /// Factor of inputs that are not below zero: the input's scale over the output's.
    pub positive: Multiplier,
    /// Factor of an input below zero and its slope: the scales of both over the output's.
    pub negative: Multiplier,
    /// How scaled values become outputs.
    pub store: Output,
}

impl PRelu {
    /// One element.
    pub const fn element(&self, value: i8, slope: i16) -> i8 {
        let value = value as i32 - self.zero as i32;
        self.store.store(if value < 0 {
            self.negative.apply(value * slope as i32)
        } else {
            self.positive.apply(value)
        })
    }
}

impl Operator for PRelu {
    fn kind(&self) -> &'static str {
        "prelu"
    }

    fn check(&self) -> Result<(), Fault> {
        self.broadcast.check()?;
        rules::factor(self.positive)?;
        rules::factor(self.negative)?;
        rules::store(&self.store)
    }

    fn inputs(&self) -> Extents {
        one(Element::I8, self.broadcast.operands()[0])
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.broadcast.len())
    }

    fn constants(&self) -> Extents {
        one(Element::I16, self.broadcast.operands()[1])
    }

    fn in_place(&self) -> bool {
        self.broadcast.in_place()
    }

    fn run(&self, _set: &KernelSet, mut args: Args<'_>) {
        let (in_place, slopes) = (args.in_place, args.constant(0));
        let f = |value, slope| self.element(value, slope);
        if in_place {
            self.broadcast.zip_in_place(args.output(0), slopes, f);
        } else {
            let input = args.input(0);
            self.broadcast.zip(input, slopes, args.output(0), f);
        }
    }
}
