// Where the largest or smallest element along an axis is, of int8 or floats.

struct Params {
    job: Job,
    operand: Operand,
    is_int8: u32,
    len: u32,
    inner: u32,
    maximum: u32,
    last: u32,              // of equals
}

fn word(index: u32) -> u32 {
    let first = index / params.inner * params.len * params.inner + index % params.inner;
    var best = value_of(first);
    var place = 0u;
    for (var k = 1u; k < params.len; k++) {
        let x = value_of(first + k * params.inner);
        let better = select((x < best), (x > best), params.maximum != 0u);
        if better || (params.last != 0u && x == best) {
            best = x;
            place = k;
        }
    }
    return place;
}

fn value_of(index: u32) -> f32 {
    if params.is_int8 != 0u {
        return f32(byte_of(params.operand, index));
    }
    return float_of(params.operand, index);
}
