// Instance and group norm: an invocation for each group of channels.

struct Params {
    job: Job,
    operand: Operand,
    gamma: Operand,
    beta: Operand,
    has_gamma: u32,
    has_beta: u32,
    pixels: u32,
    channels: u32,
    groups: u32,
    channel_step: u32,      // elements from channel to channel, and from pixel to pixel
    pixel_step: u32,
    epsilon: f32,
}

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let group = begin(id, groups);
    if group >= params.groups {
        return;
    }
    let channels = params.channels / params.groups;
    let count = f32(channels * params.pixels);
    let mean = sum_of(group * channels, channels, 0.0, false) / count;
    let variance = sum_of(group * channels, channels, mean, true) / count;
    let factor = 1.0 / sqrt(variance + params.epsilon);
    for (var c = group * channels; c < (group + 1u) * channels; c++) {
        var scale = factor;
        if params.has_gamma != 0u {
            scale *= float_of(params.gamma, c);
        }
        var shift = 0.0;
        if params.has_beta != 0u {
            shift = float_of(params.beta, c);
        }
        for (var pixel = 0u; pixel < params.pixels; pixel++) {
            let at = c * params.channel_step + pixel * params.pixel_step;
            let x = (float_of(params.operand, at) - mean) * scale + shift;
            write_word(at, bitcast<u32>(chain(x, at)));
        }
    }
}

// The sum of `x − offset`, or of its squares, of some channels; a pixel at a time, so that the error
// does not grow with the product of both counts.
fn sum_of(first: u32, channels: u32, offset: f32, squares: bool) -> f32 {
    var sum = 0.0;
    for (var pixel = 0u; pixel < params.pixels; pixel++) {
        var part = 0.0;
        for (var c = first; c < first + channels; c++) {
            let at = c * params.channel_step + pixel * params.pixel_step;
            let x = float_of(params.operand, at) - offset;
            part += select(x, x * x, squares);
        }
        sum += part;
    }
    return sum;
}
