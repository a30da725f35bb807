// Convolution of any shape, one element at a time.

fn element(index: u32) -> i32 {
    let at = position(index, params.output);
    let window = params.window;
    let first = params.input_at + at.z / params.group_outputs * params.group_inputs;
    var weights = params.weights_at + at.z / 4u;
    var sum = 0;
    for (var row = 0u; row < window.rows; row++) {
        let y = tap_row(window, at.x, row);
        for (var column = 0u; column < window.columns; column++) {
            let x = tap_column(window, at.y, column);
            let inside = y < params.input.height && x < params.input.width;
            let source = first + (y * params.input.width + x) * params.input.channels;
            for (var word = 0u; word < group_words(); word++) {
                var values = params.padding;
                if inside {
                    values = load_unaligned(source + word * 4u, params.input_last);
                }
                sum += dot4I8Packed(values, constants[weights][at.z % 4u]);
                weights += channel_blocks();
            }
        }
    }
    return output_value(sum, at.z);
}
