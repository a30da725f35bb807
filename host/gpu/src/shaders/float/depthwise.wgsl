// Depthwise convolution: eight neighbouring pixels of a row, one channel.

struct Params {
    job: Job,
    input_at: u32,
    weights: Operand,       // `[row][column][output channel]`
    bias: Operand,
    has_bias: u32,
    input: Shape,
    output: Shape,
    window: Window,
    multiplier: u32,        // output channels of one input channel
}

const PIXELS = 8u;

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = begin(id, groups);
    let channels = params.output.channels;
    let channel = index % channels;
    let tiles = (params.output.width + PIXELS - 1u) / PIXELS;
    let tile = index / channels;
    let line = tile / tiles;
    if line >= params.output.height {
        return;
    }
    let first = tile % tiles * PIXELS;
    let input = params.input;
    let window = params.window;
    let base = sample_at + params.input_at / 4u + channel / params.multiplier;
    let near_columns = (first + vec4(0u, 1u, 2u, 3u)) * window.stride_x - window.pad_x;
    let far_columns = (first + vec4(4u, 5u, 6u, 7u)) * window.stride_x - window.pad_x;
    var near = vec4(0.0);
    var far = vec4(0.0);
    if params.has_bias != 0u {
        near = vec4(float_of(params.bias, channel));
        far = near;
    }
    var weight = channel;
    for (var row = 0u; row < window.rows; row++) {
        let y = tap_row(window, line, row);
        if y >= input.height {
            weight += window.columns * channels;
            continue;
        }
        let row_at = base + y * input.width * input.channels;
        for (var column = 0u; column < window.columns; column++) {
            let factor = float_of(params.weights, weight);
            weight += channels;
            let x_near = near_columns + column * window.dilation_x;
            let x_far = far_columns + column * window.dilation_x;
            near += factor * pixels_of(row_at, x_near);
            far += factor * pixels_of(row_at, x_far);
        }
    }
    for (var p = 0u; p < min(params.output.width - first, PIXELS); p++) {
        let sum = select(far[p % 4u], near[p % 4u], p < 4u);
        let at = (line * params.output.width + first + p) * channels + channel;
        write_word(at, bitcast<u32>(chain(sum, at)));
    }
}

// The channel's values of the pixels in these columns; 0 in the padding.
fn pixels_of(row_at: u32, columns: vec4<u32>) -> vec4<f32> {
    let inside = columns < vec4(params.input.width);
    let at = row_at + select(vec4(0u), columns, inside) * params.input.channels;
    let values = vec4(arena[at.x], arena[at.y], arena[at.z], arena[at.w]);
    return select(vec4(0.0), bitcast<vec4<f32>>(values), inside);
}
