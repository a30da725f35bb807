//! gemmlowp's fixed-point arithmetic on int32, as TFLite's softmax uses it.
//!
//! A format `Qi.f` has `i` integer and `f` fractional bits beside the sign: the raw value `x`
//! stands for `x · 2^−f`. The product of `Qi.f` and `Qj.g` by [`mul`] is `Q(i+j)`. Rounding is
//! gemmlowp's own everywhere, whatever requantization does; additions wrap, so that parameters
//! that no compiler writes still have one result.

/// 1 in Q0.31, as near as the format comes.
pub const ONE_Q0: i32 = i32::MAX;

/// The high half of twice the product, rounded half up: `SaturatingRoundingDoublingHighMul`.
pub const fn mul(a: i32, b: i32) -> i32 {
    if a == i32::MIN && b == i32::MIN {
        return i32::MAX;
    }
    ((a as i64 * b as i64 + (1 << 30)) >> 31) as i32
}

/// `x / 2^exponent`, rounded half away from zero: `RoundingDivideByPOT`, defined up to 62.
pub const fn divide_by_power(x: i32, exponent: u32) -> i32 {
    let x = x as i64;
    let mask = (1_i64 << exponent) - 1;
    let threshold = (mask >> 1) + (x < 0) as i64;
    ((x >> exponent) + (x & mask > threshold) as i64) as i32
}

/// `x · 2^exponent`, saturated: `SaturatingRoundingMultiplyByPOT`.
const fn multiply_by_power(x: i32, exponent: u32) -> i32 {
    let wide = (x as i64) << exponent;
    if wide > i32::MAX as i64 {
        i32::MAX
    } else if wide < i32::MIN as i64 {
        i32::MIN
    } else {
        wide as i32
    }
}

/// `e^x` in Q0.31 of `x ≤ 0` in Q5.26: `exp_on_negative_values`.
pub const fn exp(x: i32) -> i32 {
    const QUARTER: i32 = 1 << 24;
    /// `e^(−2^(i−2))` in Q0.31.
    const FACTORS: [i32; 7] = [
        1_672_461_947,
        1_302_514_674,
        790_015_084,
        290_630_308,
        39_332_535,
        720_401,
        242,
    ];
    if x == 0 {
        return ONE_Q0;
    }
    let modulo = (x & (QUARTER - 1)) - QUARTER;
    let remainder = modulo.wrapping_sub(x);
    let mut result = exp_of_quarter(multiply_by_power(modulo, 5));
    let mut bit = 0;
    while bit < FACTORS.len() {
        if remainder & (QUARTER << bit) != 0 {
            result = mul(result, FACTORS[bit]);
        }
        bit += 1;
    }
    result
}

/// `e^x` in Q0.31 of `x` in [−1/4, 0) in Q0.31: the Taylor series of degree 4 around −1/8.
const fn exp_of_quarter(x: i32) -> i32 {
    const EXP_OF_EIGHTH: i32 = 1_895_147_668;
    const THIRD: i32 = 715_827_883;
    let x = x + (1 << 28);
    let x2 = mul(x, x);
    let x3 = mul(x2, x);
    let x4 = mul(x2, x2);
    let x4_over_4 = divide_by_power(x4, 2);
    let terms = divide_by_power(mul(x4_over_4 + x3, THIRD) + x2, 1);
    EXP_OF_EIGHTH + mul(EXP_OF_EIGHTH, x + terms)
}

/// `1 / (1 + x)` in Q0.31 of `x` in [0, 1) in Q0.31, by three steps of Newton and Raphson:
/// `one_over_one_plus_x_for_x_in_0_1`.
pub const fn one_over_one_plus(x: i32) -> i32 {
    const ONE_Q2: i32 = 1 << 29;
    const A_48_OVER_17_Q2: i32 = 1_515_870_810;
    const A_NEG_32_OVER_17_Q2: i32 = -1_010_580_540;
    // Never negative, so that rounding half up is gemmlowp's `RoundingHalfSum`.
    let half_denominator = ((x as i64 + ONE_Q0 as i64 + 1) >> 1) as i32;
    let mut estimate = A_48_OVER_17_Q2.wrapping_add(mul(half_denominator, A_NEG_32_OVER_17_Q2));
    let mut step = 0;
    while step < 3 {
        let error = ONE_Q2.wrapping_sub(mul(half_denominator, estimate));
        estimate = estimate.wrapping_add(multiply_by_power(mul(estimate, error), 2));
        step += 1;
    }
    // The estimate is 2 / (1 + x) in Q2.29: the same bits are half of it in Q1.30.
    multiply_by_power(estimate, 1)
}
