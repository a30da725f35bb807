//! From the sums of sixteen output channels to their int8 outputs.

use crate::num::Output;
use crate::reference::conv2d::ConvConstants;
use core::arch::aarch64::*;

/// Output channels of a block.
pub const LANES: usize = 16;

/// Sums of the channels of a block, in their order.
pub type Sums = [int32x4_t; LANES / 4];

/// What becomes of the sums of a block; channels that pad it are zero.
pub struct Finish {
    bias: [i32; LANES],
    mantissas: [i32; LANES],
    shifts: [i8; LANES],
    store: Output,
}

impl Finish {
    /// For the channels from `first` on, as many as there are up to a block.
    pub fn new(constants: &ConvConstants<'_>, first: usize, store: Output) -> Self {
        let mut finish = Self {
            bias: [0; LANES],
            mantissas: [0; LANES],
            shifts: [0; LANES],
            store,
        };
        let count = LANES.min(constants.bias.len() - first);
        finish.bias[..count].copy_from_slice(&constants.bias[first..][..count]);
        finish.mantissas[..count].copy_from_slice(&constants.mantissas[first..][..count]);
        finish.shifts[..count].copy_from_slice(&constants.shifts[first..][..count]);
        finish
    }

    /// The outputs of as many channels as `outputs` has, which are a block or less.
    #[inline(always)]
    pub fn write(&self, sums: Sums, outputs: &mut [i8]) {
        let mut block = [0; LANES];
        // SAFETY: AArch64 has NEON; each load and store is of a quarter of an array of `LANES`
        // elements, or of all of them.
        unsafe {
            let shifts = vsubq_s8(vld1q_s8(self.shifts.as_ptr()), vdupq_n_s8(31));
            let (low, high) = (vmovl_s8(vget_low_s8(shifts)), vmovl_high_s8(shifts));
            let shifts = [
                vmovl_s16(vget_low_s16(low)),
                vmovl_high_s16(low),
                vmovl_s16(vget_low_s16(high)),
                vmovl_high_s16(high),
            ];
            let mut quads = sums;
            for (index, quad) in quads.iter_mut().enumerate() {
                *quad = self.scale(index, *quad, shifts[index]);
            }
            let low = vcombine_s16(vqmovn_s32(quads[0]), vqmovn_s32(quads[1]));
            let high = vcombine_s16(vqmovn_s32(quads[2]), vqmovn_s32(quads[3]));
            let bytes = vcombine_s8(vqmovn_s16(low), vqmovn_s16(high));
            let bytes = vmaxq_s8(bytes, vdupq_n_s8(self.store.min));
            let bytes = vminq_s8(bytes, vdupq_n_s8(self.store.max));
            vst1q_s8(block.as_mut_ptr(), bytes);
        }
        outputs.copy_from_slice(&block[..outputs.len()]);
    }

    /// Scaled, rounded half up as `SRSHL` does, with the zero point; every step wraps as in
    /// [`crate::num::Multiplier::apply`].
    #[inline(always)]
    fn scale(&self, index: usize, sums: int32x4_t, shifts: int32x4_t) -> int32x4_t {
        let (bias, mantissas) = (
            &self.bias[index * 4..][..4],
            &self.mantissas[index * 4..][..4],
        );
        // SAFETY: AArch64 has NEON; both loads are of slices of four elements.
        unsafe {
            let sums = vaddq_s32(sums, vld1q_s32(bias.as_ptr()));
            let mantissas = vld1q_s32(mantissas.as_ptr());
            let low = vmull_s32(vget_low_s32(sums), vget_low_s32(mantissas));
            let high = vmull_high_s32(sums, mantissas);
            let low = vrshlq_s64(low, vmovl_s32(vget_low_s32(shifts)));
            let high = vrshlq_s64(high, vmovl_high_s32(shifts));
            let scaled = vmovn_high_s64(vmovn_s64(low), high);
            vaddq_s32(scaled, vdupq_n_s32(self.store.zero.into()))
        }
    }
}
