// Parameters and constants of a depthwise convolution.
//
// The weights are int32: for each tap and each block of four output channels one vec4. What
// exceeds the count of channels is zero.

struct Params {
    job: Job,
    input_at: u32,
    input: Shape,
    output: Shape,
    window: Window,
    multiplier: u32,        // output channels of one input channel
    input_zero: i32,        // the value of padding
    weights_at: u32,
    channels_at: u32,       // one vec4 an output channel: bias, mantissa, right shift
    store: Store,
}

fn output_value(sum: i32, channel: u32) -> i32 {
    let constant = bitcast<vec4<i32>>(constants[params.channels_at + channel]);
    let factor = Factor(constant.y, u32(constant.z));
    return store(scale(sum + constant.x, factor), params.store);
}
