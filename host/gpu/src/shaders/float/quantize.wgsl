// Float to int8: rounds half to even, then clamps. NaN becomes the zero point.

fn element(index: u32) -> i32 {
    let channel = channel_of(index);
    let scaled = float_of(params.operand, index) / float_of(params.scales, channel);
    let rounded = select(round(clip(scaled, -512.0, 512.0)), 0.0, is_nan(scaled));
    return clamp(i32(rounded) + byte_of(params.zeros, channel), -128, 127);
}
