// Constant padding.

struct Params {
    job: Job,
    input_at: u32,
    input: Shape,
    output: Shape,
    before_y: u32,
    before_x: u32,
    before_channel: u32,
    value: i32,
}

fn element(index: u32) -> i32 {
    // In the padding before the input, a coordinate wraps to far behind it.
    let before = vec3(params.before_y, params.before_x, params.before_channel);
    let at = position(index, params.output) - before;
    if at.x >= params.input.height || at.y >= params.input.width || at.z >= params.input.channels {
        return params.value;
    }
    let pixel = at.x * params.input.width + at.y;
    return load(params.input_at + pixel * params.input.channels + at.z);
}
