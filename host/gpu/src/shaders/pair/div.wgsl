// Quotient: the factor of each divisor is a constant, one vector each: mantissa, right shift.

struct Params {
    job: Job,
    pair: Pair,
    a_zero: i32,
    b_zero: i32,
    factors_at: u32,
    store: Store,
}

fn combine(a: i32, b: i32) -> i32 {
    let constant = constants[params.factors_at + u32(b + 128)];
    let factor = Factor(bitcast<i32>(constant.x), constant.y);
    let dividend = select(a - params.a_zero, params.a_zero - a, b < params.b_zero);
    return store(scale(dividend, factor), params.store);
}
