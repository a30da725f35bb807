// Convolution of few pixels: one element at a time.

fn value(index: u32) -> f32 {
    let at = position(index, params.output);
    let window = params.window;
    let group = at.z / params.group_outputs;
    let within = at.z % params.group_outputs;
    let tile = group * params.group_tiles + within / 8u;
    let half = within % 8u / 4u;
    let lane = within % 4u;
    let input = sample_at + params.input_at / 4u + group * params.group_inputs;
    var weights = params.weights_at + tile * tile_vectors() + half;
    var sum = bitcast<f32>(constants[params.bias_at + tile * ROW + half][lane]);
    for (var row = 0u; row < window.rows; row++) {
        let y = tap_row(window, at.x, row);
        for (var column = 0u; column < window.columns; column++) {
            let x = tap_column(window, at.y, column);
            if y < params.input.height && x < params.input.width {
                let source = input + (y * params.input.width + x) * params.input.channels;
                for (var k = 0u; k < params.group_inputs; k++) {
                    let weight = bitcast<f32>(constants[weights + ROW * k][lane]);
                    sum += bitcast<f32>(arena[source + k]) * weight;
                }
            }
            weights += ROW * params.group_inputs;
        }
    }
    return sum;
}
