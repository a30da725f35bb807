// Parametric ReLU: an int16 slope an element, broadcast.

struct Params {
    job: Job,
    operand: Operand,
    slopes: Operand,
    space: Axes,
    view: Strides,
    slopes_view: Strides,
    zero: i32,
    positive: Factor,
    negative: Factor,
    store: Store,
}

fn element(index: u32) -> i32 {
    let value = byte_of(params.operand, strided(index, params.space, params.view)) - params.zero;
    let at = strided(index, params.space, params.slopes_view);
    let word = bitcast<i32>(word_of(params.slopes, at / 2u));
    let slope = extractBits(word, at % 2u * 16u, 16u);
    let below = scale(value * slope, params.negative);
    return store(select(scale(value, params.positive), below, value < 0), params.store);
}
