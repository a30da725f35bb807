// One of two operands, as a condition says.

struct Params {
    job: Job,
    condition: Operand,
    a: Operand,
    b: Operand,
    space: Axes,
    condition_view: Strides,
    a_view: Strides,
    b_view: Strides,
}

fn place(index: u32) -> Place {
    if byte_of(params.condition, strided(index, params.space, params.condition_view)) != 0 {
        return Place(params.a, strided(index, params.space, params.a_view));
    }
    return Place(params.b, strided(index, params.space, params.b_view));
}
