//! Functions of two floats, with broadcasting.

use super::pair::Pair;
use crate::arch::simd::Kernel;
use crate::operator::{Args, Element, Extents, Fault, Operator, one};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Which function of `a` and `b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BinaryKind {
    /// `a + b`
    Add,
    /// `a − b`
    Sub,
    /// `a · b`
    Mul,
    /// `a / b`
    Div,
    /// `a^b`
    Pow,
    /// The larger; NaN if either is.
    Max,
    /// The smaller; NaN if either is.
    Min,
    /// The remainder with the sign of `b`.
    Mod,
    /// The remainder with the sign of `a`, as C's `fmod`.
    Fmod,
    /// `a · b` where `a` is below 0, else `a`: PReLU with the slope `b`.
    Prelu,
}

/// Parameters of a function of two floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binary {
    /// The function.
    pub kind: BinaryKind,
    /// The operands.
    pub operands: Pair,
}

/// What is done with a function of two floats.
trait With {
    fn call(self, f: impl Fn(f32, f32) -> f32);
}

/// Calls `with` with the function of a kind, so that each has loops of its own.
#[inline(always)]
fn dispatch(kind: BinaryKind, with: impl With) {
    use BinaryKind as Kind;
    match kind {
        Kind::Add => with.call(|a, b| a + b),
        Kind::Sub => with.call(|a, b| a - b),
        Kind::Mul => with.call(|a, b| a * b),
        Kind::Div => with.call(|a, b| a / b),
        Kind::Pow => with.call(libm::powf),
        Kind::Max => with.call(max),
        Kind::Min => with.call(min),
        Kind::Mod => with.call(modulo),
        Kind::Fmod => with.call(libm::fmodf),
        Kind::Prelu => with.call(|a, b| if a < 0.0 { a * b } else { a }),
    }
}

struct Zip<'a>(&'a Binary, &'a [f32], &'a [f32], &'a mut [f32]);

impl With for Zip<'_> {
    #[inline(always)]
    fn call(self, f: impl Fn(f32, f32) -> f32) {
        self.0.operands.zip(self.1, self.2, self.3, f);
    }
}

impl Kernel for Zip<'_> {
    #[inline(always)]
    fn run(self) {
        dispatch(self.0.kind, self);
    }
}

struct Update<'a>(&'a Binary, &'a mut [f32], &'a [f32]);

impl With for Update<'_> {
    #[inline(always)]
    fn call(self, f: impl Fn(f32, f32) -> f32) {
        self.0.operands.update(self.1, self.2, f);
    }
}

impl Kernel for Update<'_> {
    #[inline(always)]
    fn run(self) {
        dispatch(self.0.kind, self);
    }
}

fn max(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

fn min(a: f32, b: f32) -> f32 {
    if a < b || a.is_nan() { a } else { b }
}

fn modulo(a: f32, b: f32) -> f32 {
    let rest = libm::fmodf(a, b);
    let opposite = rest != 0.0 && (rest < 0.0) != (b < 0.0);
    if opposite { rest + b } else { rest }
}

impl Operator for Binary {
    fn kind(&self) -> &'static str {
        use BinaryKind as Kind;
        match self.kind {
            Kind::Add => "add_f32",
            Kind::Sub => "sub_f32",
            Kind::Mul => "mul_f32",
            Kind::Div => "div_f32",
            Kind::Pow => "pow_f32",
            Kind::Max => "max_f32",
            Kind::Min => "min_f32",
            Kind::Mod | Kind::Fmod => "mod_f32",
            Kind::Prelu => "prelu_f32",
        }
    }

    fn check(&self) -> Result<(), Fault> {
        self.operands.check()
    }

    fn inputs(&self) -> Extents {
        self.operands.reads(Element::F32).inputs()
    }

    fn outputs(&self) -> Extents {
        one(Element::F32, self.operands.len())
    }

    fn constants(&self) -> Extents {
        self.operands.reads(Element::F32).constants()
    }

    fn in_place(&self) -> bool {
        self.operands.in_place()
    }

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        let reads = self.operands.reads(Element::F32);
        let b = reads.get(&args, 1);
        if args.in_place {
            set.float.simd.run(Update(self, args.output(0), b));
        } else {
            let a = reads.get(&args, 0);
            set.float.simd.run(Zip(self, a, b, args.output(0)));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::source::Source;
    use super::super::testing::{close, floats, hostile, noise, run};
    use super::*;
    use crate::view::{Strides, for_each};

    /// Two operands of 2·3·4 elements: the second is `shape` of broadcasting.
    pub fn broadcast(strides: [isize; 3], b_len: usize) -> Pair {
        let dims = [1, 1, 1, 2, 3, 4];
        let [x, y, z] = strides;
        let offset = if z < 0 { 3 } else { 0 };
        Pair {
            dims,
            a: Strides::row_major(dims),
            b: Strides {
                offset,
                strides: [0, 0, 0, x, y, z],
            },
            a_len: 24,
            b_len,
            a_source: Source::Operand,
            b_source: Source::Operand,
        }
    }

    fn exact(kind: BinaryKind, a: f64, b: f64) -> f64 {
        match kind {
            BinaryKind::Add => a + b,
            BinaryKind::Sub => a - b,
            BinaryKind::Mul => a * b,
            BinaryKind::Div => a / b,
            BinaryKind::Pow => libm::pow(a, b),
            BinaryKind::Max => a.max(b),
            BinaryKind::Min => a.min(b),
            BinaryKind::Mod => a - b * libm::floor(a / b),
            BinaryKind::Fmod => a - b * libm::trunc(a / b),
            BinaryKind::Prelu => a.max(0.0) + b * a.min(0.0),
        }
    }

    #[test]
    fn every_function_broadcasts_within_1e_5() {
        let shapes = [
            ([12, 4, 1], 24),
            ([0, 0, 1], 4),
            ([0, 1, 0], 3),
            ([0, 0, 0], 1),
        ];
        let shapes = shapes
            .into_iter()
            .chain([([12, 4, -1], 24), ([1, 0, 2], 8)]);
        for (strides, b_len) in shapes {
            for kind in (0..10).map(|kind| postcard::from_bytes(&[kind]).unwrap()) {
                let operands = broadcast(strides, b_len);
                let (a, b) = (noise(1, 24), noise(2, b_len));
                let binary = Binary { kind, operands };
                let got = run(&binary, &[floats(&a), floats(&b)], &[]);
                let mut expected = [0.0; 24];
                for_each(operands.dims, |index| {
                    let (at_a, at_b) = (operands.a.at(index), operands.b.at(index));
                    expected[at_a] = exact(kind, f64::from(a[at_a]), f64::from(b[at_b]));
                });
                close(&got[0], expected, 1e-5);
            }
        }
    }

    #[test]
    fn a_constant_operand_is_no_input() {
        let mut operands = Pair::flat(2);
        operands.a_source = Source::Constant;
        let binary = Binary {
            kind: BinaryKind::Sub,
            operands,
        };
        let got = run(&binary, &[floats(&[1.0, 2.0])], &[floats(&[5.0, 7.0])]);
        assert_eq!(got[0], floats(&[4.0, 5.0]));
        assert!(!binary.in_place());
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        let binary = |operands| Binary {
            kind: BinaryKind::Mod,
            operands,
        };
        hostile(&[
            binary(broadcast([12, 4, -1], 24)),
            binary(broadcast([0, 1, 0], 3)),
            binary(Pair::flat(9)),
        ]);
    }
}
