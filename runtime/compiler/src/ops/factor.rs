//! Real factors as fixed-point multipliers.

use crate::error::Refusal;
use microtome_kernels::num::Multiplier;

/// Most that a scaled value may be, so that the zero point is added without overflow.
const SCALED_MAX: f64 = (1_u32 << 30) as f64;

/// The factor 0, with a shift like those of ordinary factors: kernels have a slower way for some
/// others, which a channel that computes nothing must not bring about.
const ZERO: Multiplier = Multiplier {
    mantissa: 0,
    shift: -8,
};

/// The multiplier that is nearest to `factor`, for values of a magnitude up to `largest`. Factors
/// below all multipliers are 0, as in TFLite's `QuantizeMultiplier`.
///
/// # Errors
/// [`Refusal::Factor`] when it is no positive number, or scales such values out of int32.
pub fn multiplier(factor: f64, largest: f64) -> Result<Multiplier, Refusal> {
    let usable = factor > 0.0 && factor * largest < SCALED_MAX;
    let (mantissa, exponent) = split(factor);
    if !usable || exponent > i32::from(Multiplier::SHIFT_MAX) {
        return Err(Refusal::Factor { factor });
    }
    if exponent < i32::from(Multiplier::SHIFT_MIN) {
        return Ok(ZERO);
    }
    Ok(Multiplier {
        mantissa,
        shift: exponent as i8,
    })
}

/// `factor` as `mantissa · 2^(exponent − 31)` with a mantissa in `[2^30, 2^31)`.
///
/// `factor` is positive and normal; the result for any other number means nothing.
pub fn split(factor: f64) -> (i32, i32) {
    const FRACTION_BITS: u32 = 52;
    let bits = factor.to_bits();
    // The factor is 1.fraction · 2^(biased − 1023), that is 0.1fraction · 2^(biased − 1022).
    let exponent = (bits >> FRACTION_BITS & 0x7ff) as i32 - 1022;
    let significand = bits & ((1 << FRACTION_BITS) - 1) | 1 << FRACTION_BITS;
    let dropped = FRACTION_BITS - 30;
    let rounded = (significand + (1 << (dropped - 1))) >> dropped;
    if rounded == 1 << 31 {
        (1 << 30, exponent + 1)
    } else {
        (rounded as i32, exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(multiplier: Multiplier) -> f64 {
        f64::from(multiplier.mantissa) * 2_f64.powi(i32::from(multiplier.shift) - 31)
    }

    #[test]
    fn a_multiplier_is_the_nearest_of_31_bits() {
        for factor in [
            1.0,
            0.5,
            0.75,
            1e-9,
            3.0e-3,
            255.0 / 256.0,
            1.999_999_999_9,
            1234.5,
        ] {
            let multiplier = multiplier(factor, 1.0).unwrap();
            assert!(multiplier.is_valid(), "{factor}: {multiplier:?}");
            let error = (value(multiplier) / factor - 1.0).abs();
            assert!(error <= 2_f64.powi(-31), "{factor}: {error:e}");
        }
    }

    #[test]
    fn a_mantissa_that_rounds_up_to_2_to_the_31_is_halved() {
        assert_eq!(split(1.0 - 2_f64.powi(-40)), (1 << 30, 1));
        assert_eq!(split(1.0), (1 << 30, 1));
    }

    #[test]
    fn factors_out_of_range_are_zero_or_refused() {
        assert_eq!(multiplier(1e-12, 1.0).unwrap().mantissa, 0);
        for factor in [0.0, -1.0, f64::NAN, f64::INFINITY, 2e9] {
            assert!(multiplier(factor, 1.0).is_err(), "{factor}");
        }
        assert!(multiplier(2.0, 1e9).is_err());
    }
}
