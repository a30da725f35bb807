// Where the largest or smallest element along an axis is.

struct Params {
    job: Job,
    operand: Operand,
    len: u32,
    inner: u32,
    maximum: u32,
    last: u32,              // of equals
}

fn word(index: u32) -> u32 {
    let first = index / params.inner * params.len * params.inner + index % params.inner;
    var best = float_of(params.operand, first);
    var place = 0u;
    for (var k = 1u; k < params.len; k++) {
        let x = float_of(params.operand, first + k * params.inner);
        let better = select((x < best), (x > best), params.maximum != 0u);
        if better || (params.last != 0u && x == best) {
            best = x;
            place = k;
        }
    }
    return place;
}
