// A tile of a convolution: eight pixels by eight or sixteen output channels. `accumulate` is another
// part.

const PIXELS = 8u;

// Of each half of eight output channels, the sums of pixel `p` in elements `2 p` and `2 p + 1`.
alias Half = array<vec4<f32>, 16>;
var<private> first_half: Half;
var<private> second_half: Half;

// The word in which each pixel's first value lies, and whether there is one.
struct Sources {
    near: vec4<u32>,
    far: vec4<u32>,
    has_near: vec4<bool>,
    has_far: vec4<bool>,
}

fn clear(bias: u32) {
    clear_half(&first_half, bias);
    if HALVES == 2u {
        clear_half(&second_half, bias + 2u);
    }
}

fn clear_half(sums: ptr<private, Half>, bias: u32) {
    let low = bitcast<vec4<f32>>(constants[bias]);
    let high = bitcast<vec4<f32>>(constants[bias + 1u]);
    *sums = Half(
        low, high, low, high, low, high, low, high,
        low, high, low, high, low, high, low, high,
    );
}

// Adds the products of one value of each pixel with a row of weights.
fn add_products(row: u32, a: vec4<f32>, b: vec4<f32>) {
    add_half(&first_half, row, a, b);
    if HALVES == 2u {
        add_half(&second_half, row + 2u, a, b);
    }
}

fn add_half(sums: ptr<private, Half>, row: u32, a: vec4<f32>, b: vec4<f32>) {
    let low = bitcast<vec4<f32>>(constants[row]);
    let high = bitcast<vec4<f32>>(constants[row + 1u]);
    (*sums)[0] += a.x * low;
    (*sums)[1] += a.x * high;
    (*sums)[2] += a.y * low;
    (*sums)[3] += a.y * high;
    (*sums)[4] += a.z * low;
    (*sums)[5] += a.z * high;
    (*sums)[6] += a.w * low;
    (*sums)[7] += a.w * high;
    (*sums)[8] += b.x * low;
    (*sums)[9] += b.x * high;
    (*sums)[10] += b.y * low;
    (*sums)[11] += b.y * high;
    (*sums)[12] += b.z * low;
    (*sums)[13] += b.z * high;
    (*sums)[14] += b.w * low;
    (*sums)[15] += b.w * high;
}

// Stores the sums: of the pixels from `pixel` on, `step` apart, those of which `count` exist; of the
// `channels` output channels from `channel` on.
fn store_sums(pixel: u32, step: u32, count: u32, channel: u32, channels: u32) {
    store_half(first_half, pixel, step, count, channel, min(channels, 8u));
    if HALVES == 2u {
        let rest = max(channels, 8u) - 8u;
        store_half(second_half, pixel, step, count, channel + 8u, rest);
    }
}

fn store_half(sums: Half, pixel: u32, step: u32, count: u32, channel: u32, channels: u32) {
    // An array that an index chooses from is one in memory; the sums stay in registers.
    var values = sums;
    for (var p = 0u; p < count; p++) {
        let first = (pixel + p * step) * params.output.channels + channel;
        for (var c = 0u; c < channels; c++) {
            let value = values[2u * p + c / 4u][c % 4u];
            write_word(first + c, bitcast<u32>(chain(value, first + c)));
        }
    }
}
