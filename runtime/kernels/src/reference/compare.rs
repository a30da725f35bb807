//! Comparison of two activations, element by element, to truth values.

use super::add::LEFT_SHIFT;
use crate::num::Multiplier;
use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, extents, one};
use crate::rules;
use crate::set::KernelSet;
use crate::view::Broadcast;
use serde::{Deserialize, Serialize};

/// Parameters of a comparison. The output is 1 where it holds, else 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compare {
    /// The operands' elements.
    pub broadcast: Broadcast,
    /// What is asked.
    pub relation: Relation,
    /// Zero point of each operand.
    pub zeros: [i8; 2],
    /// Factor of each operand: its scale over twice the larger of both scales.
    pub factors: [Multiplier; 2],
}

/// What a comparison asks of its first operand and its second one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Compare {
    /// One element of the result.
    pub const fn element(&self, a: i8, b: i8) -> i8 {
        let a = self.factors[0].apply((a as i32 - self.zeros[0] as i32) << LEFT_SHIFT);
        let b = self.factors[1].apply((b as i32 - self.zeros[1] as i32) << LEFT_SHIFT);
        let holds = match self.relation {
            Relation::Equal => a == b,
            Relation::NotEqual => a != b,
            Relation::Less => a < b,
            Relation::LessOrEqual => a <= b,
            Relation::Greater => a > b,
            Relation::GreaterOrEqual => a >= b,
        };
        holds as i8
    }
}

impl Operator for Compare {
    fn kind(&self) -> &'static str {
        "compare"
    }

    fn check(&self) -> Result<(), Fault> {
        self.broadcast.check()?;
        self.factors.into_iter().try_for_each(rules::factor)
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
