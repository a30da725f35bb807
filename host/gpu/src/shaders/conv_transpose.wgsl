// Transposed convolution: the output's side, one element at a time.

struct Params {
    job: Job,
    operand: Operand,
    weights: Operand,       // `[output channel][row][column][input channel of the group]`
    input: Shape,
    output: Shape,
    window: Window,
    group_inputs: u32,
    group_outputs: u32,
    input_zero: i32,
    channels_at: u32,       // one vec4 an output channel: bias, mantissa, right shift
    store: Store,
}

fn element(index: u32) -> i32 {
    let at = position(index, params.output);
    let window = params.window;
    let depth = params.group_inputs;
    let first = at.z / params.group_outputs * depth;
    let weights = at.z * window.rows * window.columns * depth;
    var sum = 0;
    for (var row = 0u; row < window.rows; row++) {
        let y = source(at.x + window.pad_y, row * window.dilation_y, window.stride_y);
        for (var column = 0u; column < window.columns; column++) {
            let x = source(at.y + window.pad_x, column * window.dilation_x, window.stride_x);
            if y < params.input.height && x < params.input.width {
                let values = (y * params.input.width + x) * params.input.channels + first;
                let taps = weights + (row * window.columns + column) * depth;
                for (var k = 0u; k < depth; k++) {
                    let value = byte_of(params.operand, values + k) - params.input_zero;
                    sum += value * byte_of(params.weights, taps + k);
                }
            }
        }
    }
    let constant = bitcast<vec4<i32>>(constants[params.channels_at + at.z]);
    let factor = Factor(constant.y, u32(constant.z));
    return store(scale(sum + constant.x, factor), params.store);
}

// The input row or column whose tap adds to a padded output; far beyond the input if there is none.
fn source(padded: u32, before: u32, stride: u32) -> u32 {
    let steps = padded - before;
    let none = padded < before || steps % stride != 0u;
    return select(steps / stride, 0xffffffffu, none);
}
