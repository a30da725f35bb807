// Parameters and constants of a convolution.
//
// The weights are packed for four output channels at once: for each tap, each four input channels
// of the group and each block of four output channels one vec4, whose lane is the output channel
// and whose bytes are the input channels. What exceeds either count of channels is zero, so that
// whatever bytes an input's last word has beside its channels do not count.

struct Params {
    job: Job,
    input_at: u32,
    input_last: u32,        // byte offset of the input's last element
    input: Shape,
    output: Shape,
    window: Window,
    group_inputs: u32,      // input channels of a group
    group_outputs: u32,     // output channels of a group
    padding: u32,           // the input's zero point in each byte
    weights_at: u32,
    channels_at: u32,       // one vec4 an output channel: bias, mantissa, right shift
    store: Store,
}

// Blocks of four output channels.
fn channel_blocks() -> u32 {
    return (params.output.channels + 3u) / 4u;
}

// Words that hold the input channels of a group.
fn group_words() -> u32 {
    return (params.group_inputs + 3u) / 4u;
}

fn output_value(sum: i32, channel: u32) -> i32 {
    let constant = bitcast<vec4<i32>>(constants[params.channels_at + channel]);
    let factor = Factor(constant.y, u32(constant.z));
    return store(scale(sum + constant.x, factor), params.store);
}
