// Convolution where the output channels of a group are a multiple of four: four output channels
// of one pixel at a time.

fn quad(index: u32) -> vec4<i32> {
    let at = position(index, params.output);
    let window = params.window;
    let first = at.z / params.group_outputs * params.group_inputs;
    let words = (params.group_inputs + 3u) / 4u;
    var weights = params.weights_at + at.z / 4u * window.rows * window.columns * words;
    var sums = vec4(0);
    for (var row = 0u; row < window.rows; row++) {
        let y = tap_row(window, at.x, row);
        for (var column = 0u; column < window.columns; column++) {
            let x = tap_column(window, at.y, column);
            let inside = y < params.input.height && x < params.input.width;
            let pixel = (y * params.input.width + x) * params.input.channels;
            for (var word = 0u; word < words; word++) {
                var values = params.padding;
                if inside {
                    let source = params.input_at + pixel + first + word * 4u;
                    values = load_unaligned(source, params.input_last);
                }
                sums += dot_each(values, constants[weights]);
                weights++;
            }
        }
    }
    return vec4(
        output_value(sums.x, at.z),
        output_value(sums.y, at.z + 1u),
        output_value(sums.z, at.z + 2u),
        output_value(sums.w, at.z + 3u),
    );
}

fn dot_each(values: u32, weights: vec4<u32>) -> vec4<i32> {
    return vec4(
        dot4I8Packed(values, weights.x),
        dot4I8Packed(values, weights.y),
        dot4I8Packed(values, weights.z),
        dot4I8Packed(values, weights.w),
    );
}
