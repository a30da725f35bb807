// Change of scale and zero point.

struct Params {
    job: Job,
    input_at: u32,
    zero: i32,
    factor: Factor,
    store: Store,
}

fn element(index: u32) -> i32 {
    return store(scale(load(params.input_at + index) - params.zero, params.factor), params.store);
}
