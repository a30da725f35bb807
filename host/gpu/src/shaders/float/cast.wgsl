// Changes of type between floats, int32 and truth values.

struct Params {
    job: Job,
    operand: Operand,
    from_kind: u32,
}

const FROM_I8: u32 = 0u;
const FROM_I32: u32 = 1u;
const FROM_F32: u32 = 2u;

fn is_true(index: u32) -> bool {
    if params.from_kind == FROM_I8 {
        return byte_of(params.operand, index) != 0;
    }
    let word = word_of(params.operand, index);
    // Both zeros of a float are false.
    return select(word != 0u, (word << 1u) != 0u, params.from_kind == FROM_F32);
}
