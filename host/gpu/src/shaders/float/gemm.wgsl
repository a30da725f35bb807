// A tile of a convolution: eight pixels by eight output channels. `accumulate` is another part.
//
// Weights lie in tiles of eight output channels of a group: for each tap and each input channel of
// the group two vectors. What exceeds the count of channels is zero.

const PIXELS = 8u;
const CHANNELS = 8u;

// Sums of pixel `p` in elements `2 p` and `2 p + 1`.
var<private> sums: array<vec4<f32>, 16>;

// The word in which each pixel's first value lies, and whether there is one.
struct Sources {
    near: vec4<u32>,
    far: vec4<u32>,
    has_near: vec4<bool>,
    has_far: vec4<bool>,
}

fn clear(bias: u32) {
    let low = bitcast<vec4<f32>>(constants[bias]);
    let high = bitcast<vec4<f32>>(constants[bias + 1u]);
    sums[0] = low;
    sums[1] = high;
    sums[2] = low;
    sums[3] = high;
    sums[4] = low;
    sums[5] = high;
    sums[6] = low;
    sums[7] = high;
    sums[8] = low;
    sums[9] = high;
    sums[10] = low;
    sums[11] = high;
    sums[12] = low;
    sums[13] = high;
    sums[14] = low;
    sums[15] = high;
}

// Adds the products of one value of each pixel with a row of weights, which two vectors hold.
fn add_products(row: u32, a: vec4<f32>, b: vec4<f32>) {
    let low = bitcast<vec4<f32>>(constants[row]);
    let high = bitcast<vec4<f32>>(constants[row + 1u]);
    sums[0] += a.x * low;
    sums[1] += a.x * high;
    sums[2] += a.y * low;
    sums[3] += a.y * high;
    sums[4] += a.z * low;
    sums[5] += a.z * high;
    sums[6] += a.w * low;
    sums[7] += a.w * high;
    sums[8] += b.x * low;
    sums[9] += b.x * high;
    sums[10] += b.y * low;
    sums[11] += b.y * high;
    sums[12] += b.z * low;
    sums[13] += b.z * high;
    sums[14] += b.w * low;
    sums[15] += b.w * high;
}

// Stores the sums: of the pixels from `pixel` on, `step` apart, those of which `count` exist; of the
// `channels` output channels from `channel` on.
fn store_sums(pixel: u32, step: u32, count: u32, channel: u32, channels: u32) {
    var values = array<vec4<f32>, 16>(
        sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7],
        sums[8], sums[9], sums[10], sums[11], sums[12], sums[13], sums[14], sums[15],
    );
    for (var p = 0u; p < count; p++) {
        let first = (pixel + p * step) * params.output.channels + channel;
        for (var c = 0u; c < channels; c++) {
            let value = values[2u * p + c / 4u][c % 4u];
            write_word(first + c, bitcast<u32>(chain(value, first + c)));
        }
    }
}
