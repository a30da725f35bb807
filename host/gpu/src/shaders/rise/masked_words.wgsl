fn word(index: u32) -> u32 {
    let value = bitcast<f32>(constants[index / 4u][index % 4u]);
    return bitcast<u32>(value * shown_of(index));
}
