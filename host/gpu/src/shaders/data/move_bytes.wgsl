fn element(index: u32) -> i32 {
    let from_place = place(index);
    return byte_of(from_place.operand, from_place.index);
}
