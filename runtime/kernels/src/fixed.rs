//! Fixed-point functions: gemmlowp's arithmetic on int32, as TFLite's softmax uses it, and what
//! normalisation and recurrent cells need.
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

/// `1 / √x` as a mantissa in Q1.30, between 1 and 2, and the power of two that divides it: four
/// steps of Newton's method. Within 2^−28 of the exact value; `None` for 0.
pub const fn inverse_sqrt(x: u64) -> Option<(u32, u32)> {
    if x == 0 {
        return None;
    }
    // x = u · 2^(64 − zeros) with u in [1/4, 1).
    let zeros = x.leading_zeros() & !1;
    let u = (x << zeros) >> 32;
    // A line within 1/8 of the root's inverse.
    let mut y = ((53_u64 << 30) / 24) - u / 3;
    let mut step = 0;
    while step < 4 {
        let square = (y * y) >> 30;
        y = (y * ((3 << 30) - ((square * u) >> 32))) >> 31;
        step += 1;
    }
    Some((y as u32, 32 - zeros / 2))
}

/// Steps of [`TANH`] from 0 to 8, 32 to a unit.
const TANH_STEPS: usize = 256;
/// Bits of an argument in Q15.16 that lie within a step.
const TANH_FRACTION: u32 = 11;
/// 1 as [`tanh`] and [`sigmoid`] give it.
pub const ONE_Q15: i32 = 1 << 15;

/// The hyperbolic tangent in Q0.15 of each step.
pub const TANH: [u16; TANH_STEPS + 1] = tanh_table();

const fn tanh_table() -> [u16; TANH_STEPS + 1] {
    let mut table = [0; TANH_STEPS + 1];
    let mut step = 0;
    while step < table.len() {
        let exp = exp_of_float(-(step as f64) / 16.0);
        table[step] = ((1.0 - exp) / (1.0 + exp) * ONE_Q15 as f64 + 0.5) as u16;
        step += 1;
    }
    table
}

/// `e^x` for −16 ≤ x ≤ 0: the Taylor series of x/64, squared six times.
const fn exp_of_float(x: f64) -> f64 {
    let x = x / 64.0;
    let (mut sum, mut term, mut degree) = (1.0, 1.0, 1);
    while degree < 16 {
        term *= x / degree as f64;
        sum += term;
        degree += 1;
    }
    let mut squared = 0;
    while squared < 6 {
        sum *= sum;
        squared += 1;
    }
    sum
}

/// The hyperbolic tangent of `x` in Q15.16, in Q0.15 from −2^15 to 2^15: linear between the
/// steps of [`TANH`].
pub const fn tanh(x: i32) -> i32 {
    let magnitude = x.unsigned_abs();
    let step = (magnitude >> TANH_FRACTION) as usize;
    let value = if step >= TANH_STEPS {
        ONE_Q15
    } else {
        let (low, high) = (TANH[step] as i32, TANH[step + 1] as i32);
        let fraction = (magnitude & ((1 << TANH_FRACTION) - 1)) as i32;
        low + (((high - low) * fraction + (1 << (TANH_FRACTION - 1))) >> TANH_FRACTION)
    };
    if x < 0 { -value } else { value }
}

/// The logistic function of `x` in Q15.16, in Q0.15 from 0 to 2^15: `(1 + tanh(x / 2)) / 2`.
pub const fn sigmoid(x: i32) -> i32 {
    (ONE_Q15 + tanh(x >> 1) + 1) >> 1
}

/// Steps of [`LN`] from 1 to 2.
const LN_STEPS: usize = 64;
/// ln 2 in Q15.16.
const LN_2: i32 = 45_426;

/// The natural logarithm in Q15.16 of each step.
pub const LN: [i32; LN_STEPS + 1] = ln_table();

const fn ln_table() -> [i32; LN_STEPS + 1] {
    let mut table = [0; LN_STEPS + 1];
    let mut step = 0;
    while step < table.len() {
        // ln x = 2 artanh((x − 1) / (x + 1)), by its series.
        let x = step as f64 / LN_STEPS as f64;
        let ratio = x / (2.0 + x);
        let (mut sum, mut power, mut degree) = (0.0, ratio, 1);
        while degree < 40 {
            sum += power / degree as f64;
            power *= ratio * ratio;
            degree += 2;
        }
        table[step] = (2.0 * sum * 65536.0 + 0.5) as i32;
        step += 1;
    }
    table
}

/// The natural logarithm in Q15.16 of `x` in Q12.19: linear between the steps of [`LN`]. That of
/// 0 is that of 2^−19.
pub const fn ln(x: u32) -> i32 {
    let x = if x == 0 { 1 } else { x };
    let zeros = x.leading_zeros();
    let normal = x << zeros;
    let step = ((normal >> 25) % LN_STEPS as u32) as usize;
    let fraction = ((normal >> 9) & 0xffff) as i32;
    let slope = LN[step + 1] - LN[step];
    (12 - zeros as i32) * LN_2 + LN[step] + ((slope * fraction + (1 << 15)) >> 16)
}
