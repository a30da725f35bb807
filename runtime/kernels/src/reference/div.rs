//! Quotient of two activations, element by element: a product with a reciprocal from a table.

use crate::num::{Multiplier, Output};
use crate::operator::{
    Args, Constants, Element, Extent, Extents, Fault, Operator, extents, one, require,
};
use crate::rules;
use crate::set::KernelSet;
use crate::view::Broadcast;
use serde::{Deserialize, Serialize};

/// Parameters of a quotient. Its constants are the mantissas and the shifts of 256 factors: that
/// of the divisor `b` is the element `b + 128` ([`Div::factors`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Div {
    /// The operands' elements.
    pub broadcast: Broadcast,
    /// Zero point of each operand.
    pub zeros: [i8; 2],
    /// How quotients become outputs.
    pub store: Output,
}

/// Divisors, and so factors.
const DIVISORS: usize = 256;
/// The largest shift of a factor: the product with a dividend stays within int32.
const SHIFT_MAX: i8 = 22;
/// What a dividend other than 0 is multiplied by to be beyond every int8.
const SATURATE: Multiplier = Multiplier {
    mantissa: i32::MAX,
    shift: SHIFT_MAX,
};

impl Div {
    /// The mantissas and shifts of the constants, for divisors with the zero point `zero` and the
    /// factor `scale`: the scale of the dividends over those of the divisors and the output.
    /// Factors are within 2^−30 of `scale / |b − zero|`, or saturate every output.
    pub fn factors(scale: Multiplier, zero: i8) -> ([i32; DIVISORS], [i8; DIVISORS]) {
        let (mut mantissas, mut shifts) = ([0; DIVISORS], [0; DIVISORS]);
        for (index, divisor) in (i8::MIN..=i8::MAX).enumerate() {
            let factor = reciprocal(scale, i32::from(divisor) - i32::from(zero));
            (mantissas[index], shifts[index]) = (factor.mantissa, factor.shift);
        }
        (mantissas, shifts)
    }

    /// One element of the quotient by a divisor whose factor is `factor`. A divisor of 0 gives
    /// the sign of the dividend, saturated, or 0 for 0.
    const fn element(&self, factor: Multiplier, a: i8, b: i8) -> i8 {
        let a = a as i32 - self.zeros[0] as i32;
        let dividend = if b < self.zeros[1] { -a } else { a };
        self.store.store(factor.apply(dividend))
    }
}

/// `scale / |divisor|`.
fn reciprocal(scale: Multiplier, divisor: i32) -> Multiplier {
    let divisor = u64::from(divisor.unsigned_abs());
    if divisor == 0 || scale.shift > SHIFT_MAX {
        return SATURATE;
    }
    // With 8 bits more, a mantissa leaves a quotient of at least 31 bits.
    let quotient = ((scale.mantissa as u64) << 8) / divisor;
    let excess = quotient.checked_ilog2().unwrap_or(0).saturating_sub(30);
    let shift = i32::from(scale.shift) + excess as i32 - 8;
    if quotient == 0 || shift < i32::from(Multiplier::SHIFT_MIN) {
        return Multiplier {
            mantissa: 0,
            shift: 0,
        };
    }
    Multiplier {
        mantissa: (quotient >> excess) as i32,
        shift: shift as i8,
    }
}

impl Operator for Div {
    fn kind(&self) -> &'static str {
        "div"
    }

    fn check(&self) -> Result<(), Fault> {
        self.broadcast.check()?;
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

    fn constants(&self) -> Extents {
        extents(&[
            Extent::new(Element::I32, DIVISORS),
            Extent::new(Element::I8, DIVISORS),
        ])
    }

    fn check_constants(&self, constants: &Constants<'_>) -> Result<(), Fault> {
        rules::factors(constants.get(0), constants.get(1))?;
        let mut shifts = constants.get::<i8>(1).iter();
        require(shifts.all(|&shift| shift <= SHIFT_MAX), Fault::Number)
    }

    fn in_place(&self) -> bool {
        self.broadcast.in_place()
    }

    fn run(&self, _set: &KernelSet, mut args: Args<'_>) {
        let (mantissas, shifts) = (args.constant::<i32>(0), args.constant::<i8>(1));
        let f = |a, b: i8| {
            let index = usize::from(b as u8 ^ 0x80);
            let factor = Multiplier {
                mantissa: mantissas[index],
                shift: shifts[index],
            };
            self.element(factor, a, b)
        };
        let (in_place, b) = (args.in_place, args.input(1));
        if in_place {
            self.broadcast.zip_in_place(args.output(0), b, f);
        } else {
            let a = args.input(0);
            self.broadcast.zip(a, b, args.output(0), f);
        }
    }
}
