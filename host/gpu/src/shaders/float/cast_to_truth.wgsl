fn element(index: u32) -> i32 {
    return select(0, 1, is_true(index));
}
