// Product.

struct Params {
    job: Job,
    pair: Pair,
    a_zero: i32,
    b_zero: i32,
    factor: Factor,
    store: Store,
}

fn combine(a: i32, b: i32) -> i32 {
    return store(scale((a - params.a_zero) * (b - params.b_zero), params.factor), params.store);
}
