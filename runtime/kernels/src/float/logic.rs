//! And, or, exclusive or of truth values, with broadcasting; not is an exclusive or with 1.

use super::pair::Pair;
use crate::operator::{Args, Element, Extents, Fault, Operator, one};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Which function of two truth values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogicKind {
    /// Both.
    And,
    /// Either, or both.
    Or,
    /// Either, not both.
    Xor,
}

/// Parameters of a function of two truth values. Any value but 0 is true; the result is 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logic {
    /// The function.
    pub kind: LogicKind,
    /// The operands.
    pub operands: Pair,
}

impl LogicKind {
    fn function(self) -> fn(i8, i8) -> i8 {
        match self {
            Self::And => |a, b| i8::from(a != 0 && b != 0),
            Self::Or => |a, b| i8::from(a != 0 || b != 0),
            Self::Xor => |a, b| i8::from((a != 0) != (b != 0)),
        }
    }
}

impl Operator for Logic {
    fn kind(&self) -> &'static str {
        "logic"
    }

    fn check(&self) -> Result<(), Fault> {
        self.operands.check()
    }

    fn inputs(&self) -> Extents {
        self.operands.reads(Element::I8).inputs()
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.operands.len())
    }

    fn constants(&self) -> Extents {
        self.operands.reads(Element::I8).constants()
    }

    fn in_place(&self) -> bool {
        self.operands.in_place()
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        let reads = self.operands.reads(Element::I8);
        let (b, f) = (reads.get(&args, 1), self.kind.function());
        if args.in_place {
            self.operands.update(args.output(0), b, f);
        } else {
            let a = reads.get(&args, 0);
            self.operands.zip(a, b, args.output(0), f);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::binary::tests::broadcast;
    use super::super::source::Source;
    use super::super::testing::{bytes, hostile, run};
    use super::*;

    #[test]
    fn truth_tables() {
        let (a, b) = (bytes(&[0, 0, 1, 5]), bytes(&[0, 1, 0, 1]));
        let tables = [
            (LogicKind::And, [0, 0, 0, 1]),
            (LogicKind::Or, [0, 1, 1, 1]),
            (LogicKind::Xor, [0, 1, 1, 0]),
        ];
        for (kind, expected) in tables {
            let operands = Pair::flat(4);
            let got = run(&Logic { kind, operands }, &[a.clone(), b.clone()], &[]);
            assert_eq!(got[0], bytes(&expected));
        }
    }

    #[test]
    fn not_is_an_exclusive_or() {
        let mut operands = Pair::flat(2);
        operands.b.strides = [0; 6];
        operands.b_len = 1;
        operands.b_source = Source::Constant;
        let kind = LogicKind::Xor;
        let got = run(&Logic { kind, operands }, &[bytes(&[0, 1])], &[bytes(&[1])]);
        assert_eq!(got[0], bytes(&[1, 0]));
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        let operands = broadcast([0, 0, 1], 4);
        let kind = LogicKind::Or;
        hostile(&[Logic { kind, operands }]);
    }
}
