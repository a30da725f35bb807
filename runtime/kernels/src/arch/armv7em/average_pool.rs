//! The global average: four channels at a time, two to a word of int16 sums.

use super::dsp::{sxtab16, sxtab16_ror8};
use crate::generic;
use crate::reference::average_pool::AveragePool;

/// Channels of a word.
const LANES: usize = 4;

/// Most pixels of which the sum of a channel is an int16.
const PIXELS_MAX: usize = 255;

/// As [`crate::reference::average_pool::average_pool`].
pub fn average_pool(params: &AveragePool, input: &[i8], output: &mut [i8]) {
    let AveragePool {
        input: shape,
        window,
        ..
    } = params;
    let (channels, pixels) = (shape.channels, shape.height * shape.width);
    let is_global = output.len() == channels
        && window.kernel == [shape.height, shape.width]
        && window.pad == [0, 0];
    if !is_global || !channels.is_multiple_of(LANES) || pixels > PIXELS_MAX {
        return (generic::SET.average_pool)(params, input, output);
    }
    for (block, outputs) in output.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let (mut even, mut odd) = (0, 0);
        for pixel in input[block * LANES..].chunks(channels) {
            let lanes: [i8; LANES] = pixel.first_chunk().copied().unwrap_or_default();
            let word = u32::from_le_bytes(lanes.map(|lane| lane as u8));
            even = sxtab16(even, word);
            odd = sxtab16_ror8(odd, word);
        }
        let sums = [
            even as i16,
            odd as i16,
            (even >> 16) as i16,
            (odd >> 16) as i16,
        ];
        for (out, sum) in outputs.iter_mut().zip(sums) {
            *out = params.mean(sum.into(), pixels as i32);
        }
    }
}
