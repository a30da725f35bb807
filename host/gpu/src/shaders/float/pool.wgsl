// Pools of floats.

struct Params {
    job: Job,
    input_at: u32,
    input: Shape,
    output: Shape,
    window: Window,
    kind: u32,
    counts_padding: u32,
    after_y: u32,           // padding below that counts
    after_x: u32,           // padding to the right that counts
    power: f32,
}

const MAX_POOL = 0u;
const AVERAGE = 1u;

fn value(index: u32) -> f32 {
    let at = position(index, params.output);
    let window = params.window;
    let base = sample_at + params.input_at / 4u + at.z;
    var folded = 0.0;
    var count = 0u;
    for (var row = 0u; row < window.rows; row++) {
        let y = tap_row(window, at.x, row);
        if y >= params.input.height {
            continue;
        }
        for (var column = 0u; column < window.columns; column++) {
            let x = tap_column(window, at.y, column);
            if x >= params.input.width {
                continue;
            }
            let pixel = y * params.input.width + x;
            let value = bitcast<f32>(arena[base + pixel * params.input.channels]);
            folded = fold(folded, value, count);
            count++;
        }
    }
    if params.kind == MAX_POOL {
        // Minus infinity, which WGSL has no constant of, where there is no tap.
        let none = bitcast<f32>(0xff800000u + (count & 0u));
        return select(folded, none, count == 0u);
    }
    if params.kind == AVERAGE {
        if params.counts_padding != 0u {
            count = padded_taps(at.x, window.pad_y + params.input.height + params.after_y,
                    window.stride_y, window.dilation_y, window.rows)
                * padded_taps(at.y, window.pad_x + params.input.width + params.after_x,
                    window.stride_x, window.dilation_x, window.columns);
        }
        return folded / f32(max(count, 1u));
    }
    if params.power == 2.0 {
        return sqrt(folded);
    }
    return power(folded, 1.0 / params.power);
}

fn fold(folded: f32, value: f32, count: u32) -> f32 {
    if params.kind == MAX_POOL {
        return select(folded, value, count == 0u || value > folded || is_nan(value));
    }
    if params.kind == AVERAGE {
        return folded + value;
    }
    if params.power == 2.0 {
        return folded + value * value;
    }
    return folded + power(abs(value), params.power);
}

// Taps of an output that lie in the input or in padding that counts.
fn padded_taps(out: u32, extent: u32, stride: u32, dilation: u32, taps: u32) -> u32 {
    let reach = extent - min(out * stride, extent);
    return min((reach + dilation - 1u) / dilation, taps);
}
