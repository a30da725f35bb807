fn element(index: u32) -> i32 {
    let word = bitcast<i32>(constants[index / 16u][index / 4u % 4u]);
    let value = f32(extractBits(word, index % 4u * 8u, 8u));
    let zero = params.input_zero;
    return i32(floor((value - zero) * shown_of(index) + zero + 0.5));
}
