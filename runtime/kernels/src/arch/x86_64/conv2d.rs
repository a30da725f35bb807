//! Convolution: tiles of pixels whose patches are collected once for all channels; in a tile, blocks
//! of 16 channels, four pixels at a time.
//!
//! Pixels that read one run of whole words are read in place. Groups, other packings and patches too
//! large for the room on the stack are left to [`generic`].

use super::PACKING;
use crate::arch::patch::collect;
use crate::arch::stack::Stack;
use crate::generic;
use crate::reference::conv2d::{Conv2d, ConvConstants};
use core::arch::x86_64::{
    __m512i, _mm_mask_storeu_epi8, _mm512_add_epi32, _mm512_add_epi64, _mm512_cvtepi32_epi8,
    _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_mask_blend_epi32, _mm512_max_epi32,
    _mm512_min_epi32, _mm512_mul_epi32, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_epi64,
    _mm512_setzero_si512, _mm512_slli_epi64, _mm512_sllv_epi64, _mm512_srav_epi64,
    _mm512_srli_epi64, _mm512_sub_epi32, _mm512_sub_epi64,
};

/// Output channels of a vector.
const LANES: usize = 16;
/// Taps of a word.
const TAPS: usize = 4;
/// Pixels that are computed together.
const PIXELS: usize = 4;
/// Bytes of patches on the stack.
const ROOM: usize = 1 << 15;

/// As [`crate::reference::conv2d::conv2d`].
pub fn conv2d(
    params: &Conv2d,
    constants: &ConvConstants<'_>,
    input: &[i8],
    _scratch: &mut [u8],
    output: &mut [i8],
) {
    let pitch = params.taps().next_multiple_of(TAPS);
    let window = &params.window;
    let direct = window.kernel == [1, 1]
        && window.stride == [1, 1]
        && params.input.width == params.output.width
        && params.taps() == pitch;
    if params.packing != PACKING || params.groups != 1 || !direct && pitch > ROOM {
        return generic::conv2d::conv2d(params, constants, input, &mut [], output);
    }
    let layer = Layer {
        params,
        constants,
        pitch,
    };
    let channels = params.output.channels;
    if direct {
        // The output may have fewer rows than the input.
        let pixels = output.len() / channels;
        // SAFETY: whoever chose this set made sure that the processor has the instructions.
        unsafe { layer.tile(&input[..pixels * pitch], output) };
        return;
    }
    let mut stack = Stack::<{ ROOM / size_of::<u32>() }>::new();
    let room: &mut [i8] = bytemuck::cast_slice_mut(stack.or(&mut []));
    let (pixels, width) = (ROOM / pitch, params.output.width);
    for (tile, outputs) in output.chunks_mut(pixels * channels).enumerate() {
        let count = outputs.len() / channels;
        for (pixel, patch) in room.chunks_exact_mut(pitch).take(count).enumerate() {
            // The taps that pad a patch have weights of zero: what lies there does not matter.
            let pixel = tile * pixels + pixel;
            let at = [pixel / width, pixel % width];
            let copy = |from: &[i8], to: &mut [i8]| to.copy_from_slice(from);
            collect(
                params.input,
                window,
                params.input_zero,
                input,
                at,
                patch,
                copy,
            );
        }
        // SAFETY: as above.
        unsafe { layer.tile(&room[..count * pitch], outputs) };
    }
}

/// A convolution's constants.
struct Layer<'a> {
    params: &'a Conv2d,
    constants: &'a ConvConstants<'a>,
    /// Taps of a channel in whole words.
    pitch: usize,
}

impl Layer<'_> {
    /// Computes every channel of the pixels whose patches are in `patches`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn tile(&self, patches: &[i8], output: &mut [i8]) {
        let channels = self.params.output.channels;
        for first in (0..channels).step_by(LANES) {
            let weights = &self.constants.weights[first * self.pitch..][..LANES * self.pitch];
            let lanes = LANES.min(channels - first);
            let block = Block::new(self, weights, first, lanes);
            let mut outputs = output[first..].chunks_mut(channels);
            let mut groups = patches.chunks_exact(PIXELS * self.pitch);
            for group in &mut groups {
                for (sums, out) in block
                    .sums::<PIXELS>(weights, group)
                    .into_iter()
                    .zip(&mut outputs)
                {
                    block.store(sums, &mut out[..lanes]);
                }
            }
            for patch in groups.remainder().chunks_exact(self.pitch) {
                let [sums] = block.sums::<1>(weights, patch);
                if let Some(out) = outputs.next() {
                    block.store(sums, &mut out[..lanes]);
                }
            }
        }
    }
}

/// How the sums of 16 channels begin, and how they become outputs. What is 64 bits wide is apart
/// for even and odd channels.
struct Block {
    bias: __m512i,
    mantissas: [__m512i; 2],
    halves: [__m512i; 2],
    shifts: [__m512i; 2],
    zero: __m512i,
    min: __m512i,
    max: __m512i,
}

impl Block {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn new(layer: &Layer<'_>, weights: &[i8], first: usize, lanes: usize) -> Self {
        let (mut bias, mut mantissas, mut shifts) = ([0; LANES], [0; LANES], [31_i32; LANES]);
        for lane in 0..lanes {
            bias[lane] = layer.constants.bias[first + lane];
            mantissas[lane] = layer.constants.mantissas[first + lane];
            shifts[lane] = 31 - i32::from(layer.constants.shifts[first + lane]);
        }
        let raised = _mm512_set1_epi8(i8::MIN);
        let mut added = _mm512_setzero_si512();
        for vector in weights.as_chunks::<64>().0 {
            added = _mm512_dpbusd_epi32(added, raised, load(vector));
        }
        let shifts = apart(load(&shifts));
        let one = _mm512_set1_epi64(1);
        let store = layer.params.store;
        Self {
            bias: _mm512_sub_epi32(load(&bias), added),
            mantissas: apart(load(&mantissas)),
            halves: shifts.map(|shift| _mm512_sllv_epi64(one, _mm512_sub_epi64(shift, one))),
            shifts,
            zero: _mm512_set1_epi32(store.zero.into()),
            min: _mm512_set1_epi32(store.min.into()),
            max: _mm512_set1_epi32(store.max.into()),
        }
    }

    /// The sums of `N` pixels.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn sums<const N: usize>(&self, weights: &[i8], patches: &[i8]) -> [__m512i; N] {
        let mut sums = [self.bias; N];
        let pitch = patches.len() / N;
        for (group, vector) in weights.as_chunks::<64>().0.iter().enumerate() {
            let weights = load(vector);
            for (pixel, sum) in sums.iter_mut().enumerate() {
                let word = &patches[pixel * pitch + group * TAPS..][..TAPS];
                let word =
                    i32::from_le_bytes([word[0], word[1], word[2], word[3]].map(|x| x as u8));
                let inputs = _mm512_set1_epi32(word ^ 0x8080_8080_u32.cast_signed());
                *sum = _mm512_dpbusd_epi32(*sum, inputs, weights);
            }
        }
        sums
    }

    /// Writes the outputs of one pixel, 16 or fewer.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn store(&self, sums: __m512i, output: &mut [i8]) {
        let sums = [sums, _mm512_srli_epi64::<32>(sums)];
        let mut scaled = [_mm512_setzero_si512(); 2];
        for (half, scaled) in scaled.iter_mut().enumerate() {
            let product = _mm512_mul_epi32(sums[half], self.mantissas[half]);
            let rounded = _mm512_add_epi64(product, self.halves[half]);
            *scaled = _mm512_srav_epi64(rounded, self.shifts[half]);
        }
        let odd = _mm512_slli_epi64::<32>(scaled[1]);
        let scaled = _mm512_mask_blend_epi32(0xaaaa, scaled[0], odd);
        let shifted = _mm512_add_epi32(scaled, self.zero);
        let clamped = _mm512_min_epi32(_mm512_max_epi32(shifted, self.min), self.max);
        let mask = (1_u32 << output.len().min(LANES)) - 1;
        // SAFETY: the mask has a bit for each byte of the output.
        unsafe {
            _mm_mask_storeu_epi8(
                output.as_mut_ptr(),
                mask as u16,
                _mm512_cvtepi32_epi8(clamped),
            );
        }
    }
}

/// A vector of 64 bytes.
#[inline]
#[target_feature(enable = "avx512f")]
fn load<T: bytemuck::Pod, const N: usize>(values: &[T; N]) -> __m512i {
    let bytes: &[u8] = bytemuck::cast_slice(values);
    assert!(bytes.len() == size_of::<__m512i>());
    // SAFETY: 64 bytes are there.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// The even and the odd int32, each as the low half of 64 bits; the shifts among them are not
/// negative.
#[inline]
#[target_feature(enable = "avx512f")]
fn apart(values: __m512i) -> [__m512i; 2] {
    let odd = _mm512_srli_epi64::<32>(values);
    [
        _mm512_srli_epi64::<32>(_mm512_slli_epi64::<32>(values)),
        odd,
    ]
}
