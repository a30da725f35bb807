// Resampling of one axis by a table of taps.

struct Params {
    job: Job,
    operand: Operand,
    places: Operand,        // `[out_len][taps]`: places in the input, −1 is outside
    weights: Operand,       // `[out_len][taps]`
    in_len: u32,
    out_len: u32,
    inner: u32,
    taps: u32,
    outside: f32,
}

fn value(index: u32) -> f32 {
    let row = index / params.inner;
    let first = row / params.out_len * params.in_len;
    let tap = row % params.out_len * params.taps;
    var sum = 0.0;
    for (var k = 0u; k < params.taps; k++) {
        let place = bitcast<i32>(word_of(params.places, tap + k));
        var x = params.outside;
        if place >= 0 {
            x = float_of(params.operand, (first + u32(place)) * params.inner + index % params.inner);
        }
        sum += float_of(params.weights, tap + k) * x;
    }
    return sum;
}
