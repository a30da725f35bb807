// Convolution: eight pixels by the output channels of a tile.

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = begin(id, groups);
    let pixels = params.output.height * params.output.width;
    let pixel_tiles = (pixels + PIXELS - 1u) / PIXELS;
    let tile = index / pixel_tiles;
    if tile >= params.tiles {
        return;
    }
    let first = index % pixel_tiles * PIXELS;
    let group = tile / params.group_tiles;
    let input = sample_at + params.input_at / 4u + group * params.group_inputs;
    let window = params.window;
    // Pixels beyond the last are computed as the last and not stored.
    let near = min(first + vec4(0u, 1u, 2u, 3u), vec4(pixels - 1u));
    let far = min(first + vec4(4u, 5u, 6u, 7u), vec4(pixels - 1u));
    let near_rows = near / params.output.width * window.stride_y - window.pad_y;
    let far_rows = far / params.output.width * window.stride_y - window.pad_y;
    let near_columns = near % params.output.width * window.stride_x - window.pad_x;
    let far_columns = far % params.output.width * window.stride_x - window.pad_x;
    var weights = params.weights_at + tile * tile_vectors();
    clear(params.bias_at + tile * ROW);
    for (var row = 0u; row < window.rows; row++) {
        let near_y = near_rows + row * window.dilation_y;
        let far_y = far_rows + row * window.dilation_y;
        for (var column = 0u; column < window.columns; column++) {
            let near_x = near_columns + column * window.dilation_x;
            let far_x = far_columns + column * window.dilation_x;
            let sources = Sources(
                input + (near_y * params.input.width + near_x) * params.input.channels,
                input + (far_y * params.input.width + far_x) * params.input.channels,
                (near_y < vec4(params.input.height)) & (near_x < vec4(params.input.width)),
                (far_y < vec4(params.input.height)) & (far_x < vec4(params.input.width)),
            );
            accumulate(sources, weights, params.group_inputs);
            weights += ROW * params.group_inputs;
        }
    }
    let within = tile % params.group_tiles * CHANNELS;
    let channel = group * params.group_outputs + within;
    let channels = min(params.group_outputs - within, CHANNELS);
    store_sums(first, 1u, min(pixels - first, PIXELS), channel, channels);
}
