// int8 to float.

fn value(index: u32) -> f32 {
    let channel = channel_of(index);
    let difference = byte_of(params.operand, index) - byte_of(params.zeros, channel);
    return float_of(params.scales, channel) * f32(difference);
}
