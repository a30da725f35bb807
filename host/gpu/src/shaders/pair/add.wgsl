// Addition and subtraction of any shapes.

struct Params {
    job: Job,
    pair: Pair,
    subtract: u32,
    a_zero: i32,
    b_zero: i32,
    a_factor: Factor,
    b_factor: Factor,
    factor: Factor,
    store: Store,
}

const LEFT_SHIFT: u32 = 20u;

fn combine(a_value: i32, b_value: i32) -> i32 {
    let a = scale((a_value - params.a_zero) << LEFT_SHIFT, params.a_factor);
    let b = scale((b_value - params.b_zero) << LEFT_SHIFT, params.b_factor);
    let sum = select(a + b, a - b, params.subtract != 0u);
    return store(scale(sum, params.factor), params.store);
}
