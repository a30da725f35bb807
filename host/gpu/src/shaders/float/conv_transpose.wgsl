// Transposed convolution: eight output pixels of a row, the stride apart, by the channels of a
// tile. Pixels of one phase read the same taps.

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = begin(id, groups);
    let window = params.window;
    let steps = (params.output.width + window.stride_x - 1u) / window.stride_x;
    let step_tiles = (steps + PIXELS - 1u) / PIXELS;
    let row_tiles = step_tiles * window.stride_x;
    let pixel_tiles = row_tiles * params.output.height;
    let tile = index / pixel_tiles;
    if tile >= params.tiles {
        return;
    }
    let y = index % pixel_tiles / row_tiles;
    let phase = index % row_tiles / step_tiles;
    let x = phase + index % step_tiles * PIXELS * window.stride_x;
    if x >= params.output.width {
        return;
    }
    let group = tile / params.group_tiles;
    let input = sample_at + params.input_at / 4u + group * params.group_inputs;
    var weights = params.weights_at + tile * tile_vectors();
    clear(params.bias_at + tile * ROW);
    for (var row = 0u; row < window.rows; row++) {
        let below = y + window.pad_y - row * window.dilation_y;
        let source_y = below / window.stride_y;
        let has_row = below % window.stride_y == 0u && source_y < params.input.height;
        for (var column = 0u; column < window.columns; column++) {
            // Negative for taps that lie left of the input for the first pixel.
            let right = i32(x + window.pad_x) - i32(column * window.dilation_x);
            if has_row && right % i32(window.stride_x) == 0 {
                let source_x = bitcast<u32>(right / i32(window.stride_x));
                let near = source_x + vec4(0u, 1u, 2u, 3u);
                let far = source_x + vec4(4u, 5u, 6u, 7u);
                let line = input + source_y * params.input.width * params.input.channels;
                let sources = Sources(
                    line + near * params.input.channels,
                    line + far * params.input.channels,
                    near < vec4(params.input.width),
                    far < vec4(params.input.width),
                );
                accumulate(sources, weights, params.group_inputs);
            }
            weights += ROW * params.group_inputs;
        }
    }
    let within = tile % params.group_tiles * CHANNELS;
    let channel = group * params.group_outputs + within;
    let channels = min(params.group_outputs - within, CHANNELS);
    let left = (params.output.width - x + window.stride_x - 1u) / window.stride_x;
    let pixel = y * params.output.width + x;
    store_sums(pixel, window.stride_x, min(left, PIXELS), channel, channels);
}
