// Softmax by gemmlowp's fixed-point arithmetic: see `microtome_kernels::fixed`, whose functions
// have the same names here.

struct Params {
    job: Job,
    input_at: u32,
    depth: u32,
    diff_min: i32,
    factor: Factor,     // of `x − max`, to Q5.26
}

// What the elements of a row share.
struct Row {
    largest: i32,
    reciprocal: i32,    // of the sum of exponentials, Q0.31
    exponent: u32,      // the power of two by which its products are divided
}

fn quad(index: u32) -> vec4<i32> {
    let last = params.job.output_len - 1u;
    var row = index / params.depth;
    var shared_by_row = summarize(row);
    var values: vec4<i32>;
    for (var lane = 0u; lane < 4u; lane++) {
        let element = min(index + lane, last);
        if element / params.depth != row {
            row = element / params.depth;
            shared_by_row = summarize(row);
        }
        values[lane] = normalize(load(params.input_at + element), shared_by_row);
    }
    return values;
}

fn summarize(row: u32) -> Row {
    let first = params.input_at + row * params.depth;
    var largest = -128;
    for (var channel = 0u; channel < params.depth; channel++) {
        largest = max(largest, load(first + channel));
    }
    // Q12.19: the largest element alone has 1, so that there are at most 12 leading zeros.
    var sum = 0;
    for (var channel = 0u; channel < params.depth; channel++) {
        sum += divide_by_power(exp_of_difference(load(first + channel), largest), 12u);
    }
    let zeros = countLeadingZeros(bitcast<u32>(sum));
    let above_one = (bitcast<u32>(sum) << zeros) ^ 0x80000000u;
    return Row(largest, one_over_one_plus(bitcast<i32>(above_one)), 35u - zeros);
}

fn normalize(value: i32, row: Row) -> i32 {
    let product = multiply(row.reciprocal, exp_of_difference(value, row.largest));
    // No product is negative: divided by 2^32 and more, each rounds to zero.
    let scaled = select(0, divide_by_power(product, min(row.exponent, 31u)), row.exponent < 32u);
    return clamp(scaled - 128, -128, 127);
}

fn exp_of_difference(value: i32, largest: i32) -> i32 {
    let difference = value - largest;
    if difference < params.diff_min {
        return 0;
    }
    return exp_of_negative(scale(difference, params.factor));
}

// The high half of twice the product, rounded half up, saturated.
fn multiply(a: i32, b: i32) -> i32 {
    const MIN: i32 = i32(-2147483648);
    if a == MIN && b == MIN {
        return 2147483647;
    }
    return scale(a, Factor(b, 31u));
}

// `value / 2^exponent`, rounded half away from zero; the exponent is at most 31.
fn divide_by_power(value: i32, exponent: u32) -> i32 {
    let mask = (1u << exponent) - 1u;
    let threshold = (mask >> 1u) + select(0u, 1u, value < 0);
    return (value >> exponent) + select(0, 1, (bitcast<u32>(value) & mask) > threshold);
}

// `value · 2^exponent`, saturated.
fn multiply_by_power(value: i32, exponent: u32) -> i32 {
    let product = value << exponent;
    if (product >> exponent) == value {
        return product;
    }
    return select(2147483647, i32(-2147483648), value < 0);
}

// `e^x` in Q0.31 of `x ≤ 0` in Q5.26.
fn exp_of_negative(x: i32) -> i32 {
    const QUARTER: i32 = 1 << 24u;
    // `e^(−2^(i−2))` in Q0.31.
    var factors = array<i32, 7>(
        1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242,
    );
    if x == 0 {
        return 2147483647;
    }
    let modulo = (x & (QUARTER - 1)) - QUARTER;
    let remainder = modulo - x;
    var result = exp_of_quarter(multiply_by_power(modulo, 5u));
    for (var bit = 0u; bit < 7u; bit++) {
        if (remainder & (QUARTER << bit)) != 0 {
            result = multiply(result, factors[bit]);
        }
    }
    return result;
}

// `e^x` in Q0.31 of `x` in [−1/4, 0) in Q0.31: the Taylor series of degree 4 around −1/8.
fn exp_of_quarter(argument: i32) -> i32 {
    const EXP_OF_EIGHTH: i32 = 1895147668;
    const THIRD: i32 = 715827883;
    let x = argument + (1 << 28u);
    let x2 = multiply(x, x);
    let x3 = multiply(x2, x);
    let x4_over_4 = divide_by_power(multiply(x2, x2), 2u);
    let terms = divide_by_power(multiply(x4_over_4 + x3, THIRD) + x2, 1u);
    return EXP_OF_EIGHTH + multiply(EXP_OF_EIGHTH, x + terms);
}

// `1 / (1 + x)` in Q0.31 of `x` in [0, 1) in Q0.31, by Newton and Raphson.
fn one_over_one_plus(x: i32) -> i32 {
    const ONE_Q2: i32 = 1 << 29u;
    let half_denominator = bitcast<i32>((bitcast<u32>(x) + 0x80000000u) >> 1u);
    var estimate = 1515870810 + multiply(half_denominator, -1010580540);
    for (var step = 0u; step < 3u; step++) {
        let error = ONE_Q2 - multiply(half_denominator, estimate);
        estimate += multiply_by_power(multiply(estimate, error), 2u);
    }
    return multiply_by_power(estimate, 1u);
}
