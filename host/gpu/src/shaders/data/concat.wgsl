// Operands one after another along an axis.

struct Params {
    job: Job,
    whole: u32,                     // elements of all operands along the axis and after it
    inner: array<u32, 8>,           // of each operand; 0 for what is none
    operands: array<Operand, 8>,
}

fn place(index: u32) -> Place {
    let outer = index / params.whole;
    var rest = index % params.whole;
    var operand = 0u;
    while rest >= params.inner[operand] {
        rest -= params.inner[operand];
        operand++;
    }
    return Place(params.operands[operand], outer * params.inner[operand] + rest);
}
