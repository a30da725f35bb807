// The larger or the smaller one.

struct Params {
    job: Job,
    pair: Pair,
    maximum: u32,
}

fn combine(a: i32, b: i32) -> i32 {
    return select(min(a, b), max(a, b), params.maximum != 0u);
}
