// A table of 256 outputs, that of −128 first.

struct Params {
    job: Job,
    operand: Operand,
    table: Operand,
}

fn element(index: u32) -> i32 {
    return byte_of(params.table, u32(byte_of(params.operand, index) + 128));
}
