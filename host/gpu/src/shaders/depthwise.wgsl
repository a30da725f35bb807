// Depthwise convolution of any shape, one element at a time.

fn element(index: u32) -> i32 {
    let at = position(index, params.output);
    let window = params.window;
    let blocks = (params.output.channels + 3u) / 4u;
    var weights = params.weights_at + at.z / 4u;
    var sum = 0;
    for (var row = 0u; row < window.rows; row++) {
        let y = tap_row(window, at.x, row);
        for (var column = 0u; column < window.columns; column++) {
            let x = tap_column(window, at.y, column);
            var value = params.input_zero;
            if y < params.input.height && x < params.input.width {
                let pixel = y * params.input.width + x;
                let channel = at.z / params.multiplier;
                value = load(params.input_at + pixel * params.input.channels + channel);
            }
            sum += value * bitcast<i32>(constants[weights][at.z % 4u]);
            weights += blocks;
        }
    }
    return output_value(sum, at.z);
}
