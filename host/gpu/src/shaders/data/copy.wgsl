// Copy of a strided view.

struct Params {
    job: Job,
    operand: Operand,
    space: Axes,
    view: Strides,
}

fn place(index: u32) -> Place {
    return Place(params.operand, strided(index, params.space, params.view));
}
