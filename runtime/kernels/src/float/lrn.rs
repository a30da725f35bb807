//! Local response normalisation: each element by its neighbours among the channels.

use crate::num::Shape;
use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a normalisation: `x / (bias + alpha / size · Σ x²)^beta`, the sum over `size`
/// channels around.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lrn {
    /// Pixels.
    pub pixels: usize,
    /// Channels of each, side by side.
    pub channels: usize,
    /// Channels of a sum: `(size − 1) / 2` before the element's own, the rest behind it.
    pub size: usize,
    /// Factor of the mean square.
    pub alpha: f32,
    /// Exponent.
    pub beta: f32,
    /// Summand.
    pub bias: f32,
}

impl Operator for Lrn {
    fn kind(&self) -> &'static str {
        "lrn_f32"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.size])?;
        checked_len(&[self.pixels, self.channels]).map(drop)
    }

    fn inputs(&self) -> Extents {
        one(Element::F32, self.pixels * self.channels)
    }

    fn outputs(&self) -> Extents {
        one(Element::F32, self.pixels * self.channels)
    }

    fn macs(&self) -> usize {
        let sums = self.pixels * self.channels;
        sums.saturating_mul(self.size.min(self.channels))
    }

    fn output_shape(&self) -> Shape {
        Shape {
            height: self.pixels,
            width: 1,
            channels: self.channels,
        }
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        let input: &[f32] = args.input(0);
        let pixels = input.chunks_exact(self.channels);
        let before = (self.size - 1) / 2;
        for (pixel, out) in pixels.zip(args.output(0).chunks_exact_mut(self.channels)) {
            for (channel, out) in out.iter_mut().enumerate() {
                let end = (channel + self.size - before).min(self.channels);
                let around = &pixel[channel.saturating_sub(before)..end];
                let sum = around.iter().map(|x| x * x).sum::<f32>();
                let base = self.bias + self.alpha / self.size as f32 * sum;
                *out = pixel[channel] / libm::powf(base, self.beta);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, floats, hostile, noise, run};
    use super::*;

    const LRN: Lrn = Lrn {
        pixels: 3,
        channels: 7,
        size: 4,
        alpha: 0.2,
        beta: 0.75,
        bias: 1.5,
    };

    #[test]
    fn within_1e_6() {
        let input = noise(1, 21);
        let expected = (0..21_i32).map(|at| {
            let squares = (-1..=2)
                .map(|step| at + step)
                .filter(|near| near.div_euclid(7) == at / 7);
            let sum: f64 = squares
                .map(|near| f64::from(input[near as usize]))
                .map(|x| x * x)
                .sum();
            f64::from(input[at as usize]) / libm::pow(1.5 + 0.2 / 4.0 * sum, 0.75)
        });
        close(&run(&LRN, &[floats(&input)], &[])[0], expected, 1e-6);
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[LRN]);
    }
}
