fn word(index: u32) -> u32 {
    if params.from_kind == FROM_I8 {
        return bitcast<u32>(select(0.0, 1.0, is_true(index)));
    }
    let bits = word_of(params.operand, index);
    if params.from_kind == FROM_I32 {
        return bitcast<u32>(f32(bitcast<i32>(bits)));
    }
    return bits;
}
