fn word(index: u32) -> u32 {
    let from_place = place(index);
    return word_of(from_place.operand, from_place.index);
}
