// Addition of two activations.

struct Params {
    job: Job,
    a_at: u32,
    b_at: u32,
    a_zero: i32,
    b_zero: i32,
    a_factor: Factor,
    b_factor: Factor,
    factor: Factor,
    store: Store,
}

const LEFT_SHIFT: u32 = 20u;

fn element(index: u32) -> i32 {
    let a = (load(params.a_at + index) - params.a_zero) << LEFT_SHIFT;
    let b = (load(params.b_at + index) - params.b_zero) << LEFT_SHIFT;
    let sum = scale(a, params.a_factor) + scale(b, params.b_factor);
    return store(scale(sum, params.factor), params.store);
}
