// Depthwise convolution where input and output have the same channels, a multiple of four: four
// channels of one pixel at a time.

fn quad(index: u32) -> vec4<i32> {
    let at = position(index, params.output);
    let window = params.window;
    let blocks = params.output.channels / 4u;
    var weights = params.weights_at + at.z / 4u;
    var sums = vec4(0);
    for (var row = 0u; row < window.rows; row++) {
        let y = tap_row(window, at.x, row);
        for (var column = 0u; column < window.columns; column++) {
            let x = tap_column(window, at.y, column);
            var values = vec4(params.input_zero);
            if y < params.input.height && x < params.input.width {
                let pixel = y * params.input.width + x;
                let source = params.input_at + pixel * params.input.channels + at.z;
                values = unpack4xI8(load_word(source));
            }
            sums += values * bitcast<vec4<i32>>(constants[weights]);
            weights += blocks;
        }
    }
    return vec4(
        output_value(sums.x, at.z),
        output_value(sums.y, at.z + 1u),
        output_value(sums.z, at.z + 2u),
        output_value(sums.w, at.z + 3u),
    );
}
