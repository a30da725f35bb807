fn word(index: u32) -> u32 {
    if params.from_kind == FROM_I8 {
        return select(0u, 1u, is_true(index));
    }
    let bits = word_of(params.operand, index);
    if params.from_kind == FROM_I32 {
        return bits;
    }
    let x = bitcast<f32>(bits);
    // The largest floats on either side of the range.
    let limited = i32(clip(x, -2147483648.0, 2147483520.0));
    let high = select(limited, 2147483647, x >= 2147483648.0);
    return bitcast<u32>(select(high, 0, is_nan(x)));
}
