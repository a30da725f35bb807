// Convolution where the output channels of a group are a multiple of four: four output channels
// of four consecutive pixels at a time, so that each weight and each input is loaded once for four
// products. Neighbouring invocations have neighbouring channels, whose weights lie together.

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let blocks = channel_blocks();
    let index = begin(id, groups);
    let pixels = params.output.height * params.output.width;
    let first = index / blocks * 4u;
    if first >= pixels {
        return;
    }
    let channel = index % blocks * 4u;
    // Pixels beyond the last are computed as the last and not written.
    let tile = min(first + vec4(0u, 1u, 2u, 3u), vec4(pixels - 1u));
    let sums = tile_sums(tile, channel);
    for (var pixel = 0u; pixel < min(pixels - first, 4u); pixel++) {
        let values = vec4(
            output_value(sums[pixel].x, channel),
            output_value(sums[pixel].y, channel + 1u),
            output_value(sums[pixel].z, channel + 2u),
            output_value(sums[pixel].w, channel + 3u),
        );
        write((first + pixel) * params.output.channels + channel, values);
    }
}

// For each pixel of the tile, the sums of the four output channels from `channel`.
fn tile_sums(tile: vec4<u32>, channel: u32) -> array<vec4<i32>, 4> {
    let window = params.window;
    let words = group_words();
    let rows = tile / params.output.width * window.stride_y - window.pad_y;
    let columns = tile % params.output.width * window.stride_x - window.pad_x;
    let first = params.input_at + channel / params.group_outputs * params.group_inputs;
    var weights = params.weights_at + channel / 4u;
    var sums: array<vec4<i32>, 4>;
    for (var row = 0u; row < window.rows; row++) {
        let y = rows + row * window.dilation_y;
        for (var column = 0u; column < window.columns; column++) {
            let x = columns + column * window.dilation_x;
            let inside = (y < vec4(params.input.height)) & (x < vec4(params.input.width));
            var source = first + (y * params.input.width + x) * params.input.channels;
            for (var word = 0u; word < words; word++) {
                let weight = constants[weights];
                sums[0] += dot_each(input_word(source.x, inside.x), weight);
                sums[1] += dot_each(input_word(source.y, inside.y), weight);
                sums[2] += dot_each(input_word(source.z, inside.z), weight);
                sums[3] += dot_each(input_word(source.w, inside.w), weight);
                source += 4u;
                weights += channel_blocks();
            }
        }
    }
    return sums;
}

fn input_word(source: u32, inside: bool) -> u32 {
    if inside {
        return load_unaligned(source, params.input_last);
    }
    return params.padding;
}

fn dot_each(values: u32, weights: vec4<u32>) -> vec4<i32> {
    return vec4(
        dot4I8Packed(values, weights.x),
        dot4I8Packed(values, weights.y),
        dot4I8Packed(values, weights.z),
        dot4I8Packed(values, weights.w),
    );
}
