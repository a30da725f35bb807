// A function of one or two floats: the operand that is read here goes through the chain, of which
// the function is the first stage.

struct Params {
    job: Job,
    operand: Operand,
    is_strided: u32,
    space: Axes,
    view: Strides,
}

fn value(index: u32) -> f32 {
    if params.is_strided != 0u {
        return float_of(params.operand, strided(index, params.space, params.view));
    }
    return float_of(params.operand, index);
}
