//! Functions of two int32, with broadcasting: index arithmetic.

use super::pair::Pair;
use crate::operator::{Args, Element, Extents, Fault, Operator, one};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Which function of `a` and `b`. Results wrap; what divides by 0 is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BinaryIntKind {
    /// `a + b`
    Add,
    /// `a − b`
    Sub,
    /// `a · b`
    Mul,
    /// `a / b`, towards 0.
    Div,
    /// The remainder with the sign of `b`.
    Mod,
    /// The remainder with the sign of `a`.
    Fmod,
    /// The larger.
    Max,
    /// The smaller.
    Min,
    /// `a^b`, towards 0 where `b` is negative.
    Pow,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// `a` shifted left by `b` bits; 0 from 32 on.
    ShiftLeft,
    /// `a` shifted right by `b` bits, filled with its sign; nothing but the sign from 32 on.
    ShiftRight,
}

/// Parameters of a function of two int32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BinaryInt {
    /// The function.
    pub kind: BinaryIntKind,
    /// The operands.
    pub operands: Pair,
}

impl BinaryIntKind {
    fn function(self) -> fn(i32, i32) -> i32 {
        match self {
            Self::Add => i32::wrapping_add,
            Self::Sub => i32::wrapping_sub,
            Self::Mul => i32::wrapping_mul,
            Self::Div => |a, b| if b == 0 { 0 } else { a.wrapping_div(b) },
            Self::Mod => modulo,
            Self::Fmod => |a, b| if b == 0 { 0 } else { a.wrapping_rem(b) },
            Self::Max => i32::max,
            Self::Min => i32::min,
            Self::Pow => power,
            Self::And => |a, b| a & b,
            Self::Or => |a, b| a | b,
            Self::Xor => |a, b| a ^ b,
            Self::ShiftLeft => |a, b| a.checked_shl(b as u32).unwrap_or(0),
            Self::ShiftRight => |a, b| a.checked_shr(b as u32).unwrap_or(a >> 31),
        }
    }
}

fn modulo(a: i32, b: i32) -> i32 {
    if b == 0 {
        return 0;
    }
    let rest = a.wrapping_rem(b);
    let opposite = rest != 0 && (rest < 0) != (b < 0);
    if opposite { rest + b } else { rest }
}

fn power(a: i32, b: i32) -> i32 {
    match (a, u32::try_from(b)) {
        (_, Ok(b)) => a.wrapping_pow(b),
        (1, _) => 1,
        (-1, _) if b % 2 == 0 => 1,
        (-1, _) => -1,
        _ => 0,
    }
}

impl Operator for BinaryInt {
    fn kind(&self) -> &'static str {
        "binary_i32"
    }

    fn check(&self) -> Result<(), Fault> {
        self.operands.check()
    }

    fn inputs(&self) -> Extents {
        self.operands.reads(Element::I32).inputs()
    }

    fn outputs(&self) -> Extents {
        one(Element::I32, self.operands.len())
    }

    fn constants(&self) -> Extents {
        self.operands.reads(Element::I32).constants()
    }

    fn in_place(&self) -> bool {
        self.operands.in_place()
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        let reads = self.operands.reads(Element::I32);
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
    use super::super::testing::{hostile, ints, run};
    use super::*;

    fn both(kind: BinaryIntKind, a: i32, b: i32) -> i32 {
        let operands = Pair::flat(1);
        let got = run(
            &BinaryInt { kind, operands },
            &[ints(&[a]), ints(&[b])],
            &[],
        );
        let super::super::testing::Data::I32(got) = &got[0] else {
            panic!("not int32")
        };
        got[0]
    }

    #[test]
    fn the_edges_are_defined() {
        use BinaryIntKind as Kind;
        assert_eq!(both(Kind::Div, -7, 2), -3);
        assert_eq!(both(Kind::Div, 7, 0), 0);
        assert_eq!(both(Kind::Div, i32::MIN, -1), i32::MIN);
        assert_eq!(both(Kind::Mod, -7, 3), 2);
        assert_eq!(both(Kind::Mod, 7, -3), -2);
        assert_eq!(both(Kind::Fmod, -7, 3), -1);
        assert_eq!(both(Kind::Mod, i32::MIN, -1), 0);
        assert_eq!(both(Kind::Pow, -3, 3), -27);
        assert_eq!(both(Kind::Pow, 2, -1), 0);
        assert_eq!(both(Kind::Pow, -1, -3), -1);
        assert_eq!(both(Kind::ShiftLeft, 3, 4), 48);
        assert_eq!(both(Kind::ShiftLeft, 3, 32), 0);
        assert_eq!(both(Kind::ShiftRight, -9, 1), -5);
        assert_eq!(both(Kind::ShiftRight, -9, 32), -1);
        assert_eq!(both(Kind::Xor, 6, 3), 5);
        assert_eq!(both(Kind::Max, -6, 3), 3);
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        let kinds = (0..14).map(|kind| postcard::from_bytes(&[kind]).unwrap());
        let seeds: [_; 14] = {
            let mut kinds = kinds.map(|kind| BinaryInt {
                kind,
                operands: super::super::binary::tests::broadcast([0, 1, 0], 3),
            });
            core::array::from_fn(|_| kinds.next().unwrap())
        };
        hostile(&seeds);
    }
}
