//! Comparisons of two floats or two int32, with broadcasting, to truth values.

use super::pair::Pair;
use crate::operator::{Args, Element, Extents, Fault, Operator, one, require};
use crate::set::KernelSet;
use bytemuck::AnyBitPattern;
use serde::{Deserialize, Serialize};

/// Which comparison of `a` and `b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompareKind {
    /// `a = b`
    Equal,
    /// `a < b`
    Less,
    /// `a ≤ b`
    LessOrEqual,
    /// `a > b`
    Greater,
    /// `a ≥ b`
    GreaterOrEqual,
}

/// Parameters of a comparison. The output is int8, 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compare {
    /// The comparison.
    pub kind: CompareKind,
    /// Type of both operands: float, int32, or int8 for truth values.
    pub element: Element,
    /// The operands.
    pub operands: Pair,
}

impl Compare {
    fn compare<T: Copy + PartialOrd + AnyBitPattern>(&self, args: &mut Args<'_>) {
        let reads = self.operands.reads(self.element);
        let (a, b): (&[T], &[T]) = (reads.get(args, 0), reads.get(args, 1));
        let (pair, out) = (&self.operands, args.output(0));
        match self.kind {
            CompareKind::Equal => pair.zip(a, b, out, |a, b| i8::from(a == b)),
            CompareKind::Less => pair.zip(a, b, out, |a, b| i8::from(a < b)),
            CompareKind::LessOrEqual => pair.zip(a, b, out, |a, b| i8::from(a <= b)),
            CompareKind::Greater => pair.zip(a, b, out, |a, b| i8::from(a > b)),
            CompareKind::GreaterOrEqual => pair.zip(a, b, out, |a, b| i8::from(a >= b)),
        }
    }
}

impl Operator for Compare {
    fn kind(&self) -> &'static str {
        "compare"
    }

    fn check(&self) -> Result<(), Fault> {
        require(self.element != Element::I16, Fault::Shape)?;
        self.operands.check()
    }

    fn inputs(&self) -> Extents {
        self.operands.reads(self.element).inputs()
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.operands.len())
    }

    fn constants(&self) -> Extents {
        self.operands.reads(self.element).constants()
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        match self.element {
            Element::F32 => self.compare::<f32>(&mut args),
            Element::I32 => self.compare::<i32>(&mut args),
            Element::I16 => self.compare::<i16>(&mut args),
            Element::I8 => self.compare::<i8>(&mut args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::binary::tests::broadcast;
    use super::super::testing::{bytes, floats, hostile, ints, run};
    use super::*;

    #[test]
    fn every_comparison() {
        let a = [1.0, 2.0, 3.0, f32::NAN];
        let b = [2.0, 2.0, 2.0, 2.0];
        let expected = [
            (CompareKind::Equal, [0, 1, 0, 0]),
            (CompareKind::Less, [1, 0, 0, 0]),
            (CompareKind::LessOrEqual, [1, 1, 0, 0]),
            (CompareKind::Greater, [0, 0, 1, 0]),
            (CompareKind::GreaterOrEqual, [0, 1, 1, 0]),
        ];
        for (kind, expected) in expected {
            let mut compare = Compare {
                kind,
                element: Element::F32,
                operands: Pair::flat(4),
            };
            assert_eq!(
                run(&compare, &[floats(&a), floats(&b)], &[])[0],
                bytes(&expected)
            );
            compare.element = Element::I32;
            compare.operands = Pair::flat(3);
            let got = run(&compare, &[ints(&[1, 2, 3]), ints(&[2, 2, 2])], &[]);
            assert_eq!(got[0], bytes(&expected[..3]));
        }
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[Compare {
            kind: CompareKind::Less,
            element: Element::I32,
            operands: broadcast([0, 0, 1], 4),
        }]);
    }
}
