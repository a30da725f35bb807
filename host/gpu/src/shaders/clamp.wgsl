// Clamp.

struct Params {
    job: Job,
    input_at: u32,
    low: i32,
    high: i32,
}

fn element(index: u32) -> i32 {
    return clamp(load(params.input_at + index), params.low, params.high);
}
