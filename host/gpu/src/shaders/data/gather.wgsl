// Slices along an axis, by int32 indices.

struct Params {
    job: Job,
    operand: Operand,
    indices: Operand,
    axis_len: u32,
    inner: u32,
    indices_len: u32,
}

fn place(index: u32) -> Place {
    let row = index / params.inner;
    let wanted = bitcast<i32>(word_of(params.indices, row % params.indices_len));
    let len = i32(params.axis_len);
    let slice = u32(clamp(select(wanted, wanted + len, wanted < 0), 0, len - 1));
    let outer = row / params.indices_len;
    let at = (outer * params.axis_len + slice) * params.inner + index % params.inner;
    return Place(params.operand, at);
}
