//! Normalisation of channels or groups of channels over all pixels: instance and group norm.

use super::norm::sum;
use super::source::{Reads, Source};
use crate::num::Shape;
use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, checked_len, one, require};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Pixels that are summed before their sum is added to that of all: keeps the error small.
const PIXELS: usize = 64;

/// Parameters of a normalisation over pixels. It reads the activation, `gamma` and `beta`; the
/// result is `(x − mean) / √(variance + epsilon) · gamma + beta`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelNorm {
    /// Pixels.
    pub pixels: usize,
    /// Channels.
    pub channels: usize,
    /// Groups of channels that share mean and variance: as many as channels for instance norm.
    pub groups: usize,
    /// Whether a pixel's channels are neighbours (HWC), else a channel's pixels (CHW).
    pub channels_last: bool,
    /// What is added under the root.
    pub epsilon: f32,
    /// Where each channel's factor is, if there is one.
    pub gamma: Source,
    /// Where each channel's summand is, if there is one.
    pub beta: Source,
}

impl ChannelNorm {
    fn len(&self) -> usize {
        self.pixels * self.channels
    }

    fn reads(&self) -> Reads {
        Reads::new(&[
            (Source::Operand, Extent::new(Element::F32, self.len())),
            (self.gamma, Extent::new(Element::F32, self.channels)),
            (self.beta, Extent::new(Element::F32, self.channels)),
        ])
    }

    /// Elements of a group.
    fn count(&self) -> f32 {
        (self.len() / self.groups) as f32
    }

    fn factor(&self, variance: f32) -> f32 {
        1.0 / libm::sqrtf(variance + self.epsilon)
    }

    fn planes(&self, values: &mut [f32], gamma: &[f32], beta: &[f32]) {
        let channels = self.channels / self.groups;
        for (group, values) in values.chunks_exact_mut(channels * self.pixels).enumerate() {
            let mean = sum(values, |x| x) / self.count();
            let factor = self.factor(sum(values, |x| (x - mean) * (x - mean)) / self.count());
            for (channel, plane) in (group * channels..).zip(values.chunks_exact_mut(self.pixels)) {
                let scale = factor * gamma.get(channel).unwrap_or(&1.0);
                let shift = beta.get(channel).unwrap_or(&0.0);
                plane
                    .iter_mut()
                    .for_each(|x| *x = (*x - mean) * scale + shift);
            }
        }
    }

    fn interleaved(&self, values: &mut [f32], gamma: &[f32], beta: &[f32], scratch: &mut [f32]) {
        let (means, rest) = scratch.split_at_mut(self.channels);
        let (scales, part) = rest.split_at_mut(self.channels);
        scales.fill(0.0);
        self.sums(values, scales, means, part, |x| x);
        self.share(means, |mean| mean);
        self.sums(values, means, scales, part, |x| x * x);
        self.share(scales, |variance| self.factor(variance));
        scales
            .iter_mut()
            .zip(gamma)
            .for_each(|(scale, gamma)| *scale *= gamma);
        for pixel in values.chunks_exact_mut(self.channels) {
            let moments = means.iter().zip(&*scales);
            for (x, (mean, scale)) in pixel.iter_mut().zip(moments) {
                *x = (*x - mean) * scale;
            }
            pixel.iter_mut().zip(beta).for_each(|(x, beta)| *x += beta);
        }
    }

    /// Writes each channel's sum of `f` of `x − offset` to `out`; `part` is scratch.
    #[inline(always)]
    fn sums(
        &self,
        values: &[f32],
        offsets: &[f32],
        out: &mut [f32],
        part: &mut [f32],
        f: impl Fn(f32) -> f32,
    ) {
        out.fill(0.0);
        for pixels in values.chunks(PIXELS * self.channels) {
            part.fill(0.0);
            for pixel in pixels.chunks_exact(self.channels) {
                let pairs = pixel.iter().zip(offsets);
                for (part, (x, offset)) in part.iter_mut().zip(pairs) {
                    *part += f(x - offset);
                }
            }
            out.iter_mut()
                .zip(&*part)
                .for_each(|(sum, part)| *sum += part);
        }
    }

    /// Replaces the sums of a group's channels by `f` of their mean.
    #[inline(always)]
    fn share(&self, sums: &mut [f32], f: impl Fn(f32) -> f32) {
        for group in sums.chunks_exact_mut(self.channels / self.groups) {
            let mean = group.iter().sum::<f32>() / self.count();
            group.fill(f(mean));
        }
    }
}

impl Operator for ChannelNorm {
    fn kind(&self) -> &'static str {
        "channel_norm_f32"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.pixels, self.channels])?;
        let grouped = self.groups > 0 && self.channels.is_multiple_of(self.groups);
        require(grouped, Fault::Shape)
    }

    fn inputs(&self) -> Extents {
        self.reads().inputs()
    }

    fn outputs(&self) -> Extents {
        one(Element::F32, self.len())
    }

    fn constants(&self) -> Extents {
        self.reads().constants()
    }

    fn scratch_bytes(&self) -> usize {
        let rows = if self.channels_last { 3 } else { 0 };
        rows * self.channels * size_of::<f32>()
    }

    fn in_place(&self) -> bool {
        true
    }

    fn output_shape(&self) -> Shape {
        Shape {
            height: self.pixels,
            width: 1,
            channels: self.channels,
        }
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        let reads = self.reads();
        let (gamma, beta) = (reads.get(&args, 1), reads.get(&args, 2));
        let scratch = bytemuck::cast_slice_mut(core::mem::take(&mut args.scratch));
        let values = args.replace_input();
        if self.channels_last {
            self.interleaved(values, gamma, beta, scratch);
        } else {
            self.planes(values, gamma, beta);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, floats, hostile, noise, run};
    use super::*;
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    const NORM: ChannelNorm = ChannelNorm {
        pixels: 150,
        channels: 6,
        groups: 3,
        channels_last: true,
        epsilon: 1e-5,
        gamma: Source::Constant,
        beta: Source::Constant,
    };

    fn check(params: &ChannelNorm) {
        let channels = params.channels;
        let input: Vec<_> = noise(1, params.len()).iter().map(|x| x + 5.0).collect();
        let (gamma, beta) = (noise(2, channels), noise(3, channels));
        let channel_of = |at: usize| match params.channels_last {
            true => at % channels,
            false => at / params.pixels,
        };
        let group_of = |at: usize| channel_of(at) / (channels / params.groups);
        let mut sums = vec![[0.0; 2]; params.groups];
        for (at, &x) in input.iter().enumerate() {
            let [sum, squares] = &mut sums[group_of(at)];
            *sum += f64::from(x);
            *squares += f64::from(x) * f64::from(x);
        }
        let expected = input.iter().enumerate().map(|(at, &x)| {
            let [mean, square] = sums[group_of(at)].map(|sum| sum / f64::from(params.count()));
            let scale = 1.0 / libm::sqrt(square - mean * mean + f64::from(params.epsilon));
            let (gamma, beta) = match params.gamma {
                Source::None => (1.0, 0.0),
                _ => (gamma[channel_of(at)], beta[channel_of(at)]),
            };
            (f64::from(x) - mean) * scale * f64::from(gamma) + f64::from(beta)
        });
        let constants = [floats(&gamma), floats(&beta)];
        let constants = &constants[..params.constants().len()];
        close(
            &run(params, &[floats(&input)], constants)[0],
            expected,
            1e-5,
        );
    }

    #[test]
    fn any_group_and_layout_is_within_1e_5() {
        for channels_last in [false, true] {
            for groups in [1, 3, 6] {
                check(&ChannelNorm {
                    channels_last,
                    groups,
                    ..NORM
                });
            }
        }
        check(&ChannelNorm {
            gamma: Source::None,
            beta: Source::None,
            ..NORM
        });
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        let small = ChannelNorm { pixels: 9, ..NORM };
        hostile(&[
            small,
            ChannelNorm {
                channels_last: false,
                ..small
            },
        ]);
    }
}
