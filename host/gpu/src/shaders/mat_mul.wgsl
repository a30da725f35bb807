// Matrix product of two activations. The space's axes are the batch (three), row, inner, column.

struct Params {
    job: Job,
    a: Operand,
    b: Operand,
    outputs: Axes,          // the inner axis has one element
    a_view: Strides,
    b_view: Strides,
    inner: u32,
    a_zero: i32,
    b_zero: i32,
    factor: Factor,
    store: Store,
}

fn element(index: u32) -> i32 {
    var a = strided(index, params.outputs, params.a_view);
    var b = strided(index, params.outputs, params.b_view);
    var sum = 0;
    for (var k = 0u; k < params.inner; k++) {
        sum += (byte_of(params.a, a) - params.a_zero) * (byte_of(params.b, b) - params.b_zero);
        a += bitcast<u32>(params.a_view.steps[4]);
        b += bitcast<u32>(params.b_view.steps[4]);
    }
    return store(scale(sum, params.factor), params.store);
}
