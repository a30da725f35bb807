//! Questions about one float, element by element, answered by truth values.

use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Which question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PredicateKind {
    /// Whether it is no number.
    IsNan,
    /// Whether it is infinite.
    IsInf {
        /// Positive infinity counts.
        positive: bool,
        /// Negative infinity counts.
        negative: bool,
    },
}

/// Parameters of a question. The output is int8, 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predicate {
    /// The question.
    pub kind: PredicateKind,
    /// Elements.
    pub len: usize,
}

impl PredicateKind {
    fn holds(self, x: f32) -> bool {
        match self {
            Self::IsNan => x.is_nan(),
            Self::IsInf { positive, negative } => {
                positive && x == f32::INFINITY || negative && x == f32::NEG_INFINITY
            }
        }
    }
}

impl Operator for Predicate {
    fn kind(&self) -> &'static str {
        "predicate_f32"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.len]).map(drop)
    }

    fn inputs(&self) -> Extents {
        one(Element::F32, self.len)
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.len)
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        let input = args.input(0);
        for (out, &x) in args.output(0).iter_mut().zip(input) {
            *out = i8::from(self.kind.holds(x));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bytes, floats, hostile, run};
    use super::*;

    #[test]
    fn every_question() {
        let values = [floats(&[1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY])];
        let inf = |positive, negative| PredicateKind::IsInf { positive, negative };
        let questions = [
            (PredicateKind::IsNan, [0, 1, 0, 0]),
            (inf(true, true), [0, 0, 1, 1]),
            (inf(true, false), [0, 0, 1, 0]),
            (inf(false, true), [0, 0, 0, 1]),
        ];
        for (kind, expected) in questions {
            let got = run(&Predicate { kind, len: 4 }, &values, &[]);
            assert_eq!(got[0], bytes(&expected));
        }
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        let kind = PredicateKind::IsNan;
        hostile(&[Predicate { kind, len: 5 }]);
    }
}
