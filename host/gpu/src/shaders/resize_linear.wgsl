// Bilinear resize, by tables of places and weights.

struct Params {
    job: Job,
    operand: Operand,
    rows: Operand,          // two places an output row
    row_weights: Operand,   // int16 weight of the second one, in units of 2^−11
    columns: Operand,
    column_weights: Operand,
    input: Shape,
    output: Shape,
}

const BITS: u32 = 11u;

fn element(index: u32) -> i32 {
    let at = position(index, params.output);
    let below = weight_of(params.row_weights, at.x);
    let right = weight_of(params.column_weights, at.y);
    let upper = row_of(at, 0u, right);
    let lower = row_of(at, 1u, right);
    let sum = between(below, upper, lower);
    return (sum + (1 << (2u * BITS - 1u))) >> (2u * BITS);
}

fn row_of(at: vec3<u32>, which: u32, right: i32) -> i32 {
    let y = word_of(params.rows, 2u * at.x + which);
    let a = y * params.input.width + word_of(params.columns, 2u * at.y);
    let b = y * params.input.width + word_of(params.columns, 2u * at.y + 1u);
    let channels = params.input.channels;
    return between(
        right,
        byte_of(params.operand, a * channels + at.z),
        byte_of(params.operand, b * channels + at.z),
    );
}

fn between(weight: i32, a: i32, b: i32) -> i32 {
    return a * ((1 << BITS) - weight) + b * weight;
}

fn weight_of(weights: Operand, index: u32) -> i32 {
    return extractBits(bitcast<i32>(word_of(weights, index / 2u)), index % 2u * 16u, 16u);
}
