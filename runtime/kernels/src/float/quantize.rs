//! Between floats and int8 with a scale and a zero point, for a whole tensor or for each channel.

use crate::operator::{
    Args, Constants, Element, Extent, Extents, Fault, Operator, checked_len, extents, one,
};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Adding and subtracting it rounds half to even.
const ROUND: f32 = 12_582_912.0;

/// Which elements share a scale: the tensor is `[outer][channels][inner]`, row major, and each
/// channel has one. A single channel is the whole tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scaling {
    /// Repetitions of the channels.
    pub outer: usize,
    /// Channels.
    pub channels: usize,
    /// Neighbouring elements of one channel.
    pub inner: usize,
}

impl Scaling {
    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.outer, self.channels, self.inner]).map(drop)
    }

    fn len(&self) -> usize {
        self.outer * self.channels * self.inner
    }

    /// The scales, then the zero points.
    fn constants(&self) -> Extents {
        extents(&[
            Extent::new(Element::F32, self.channels),
            Extent::new(Element::I8, self.channels),
        ])
    }

    /// Writes `f` of each element, its scale and its zero point to `out`.
    fn map<A: Copy, B>(
        &self,
        constants: &Constants<'_>,
        input: &[A],
        out: &mut [B],
        f: impl Fn(A, f32, f32) -> B,
    ) {
        let (scales, zeros): (&[f32], &[i8]) = (constants.get(0), constants.get(1));
        let runs = input.chunks_exact(self.inner);
        for (run, (input, out)) in runs.zip(out.chunks_exact_mut(self.inner)).enumerate() {
            let channel = run % self.channels;
            let (scale, zero) = (scales[channel], f32::from(zeros[channel]));
            for (out, &x) in out.iter_mut().zip(input) {
                *out = f(x, scale, zero);
            }
        }
    }
}

/// Parameters of a quantization: round half to even, then clamp, as ONNX's `QuantizeLinear`.
/// NaN becomes the zero point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantize {
    /// Which elements share a scale. The constants are the scales and the zero points.
    pub scaling: Scaling,
}

/// Parameters of the way back: `scale · (value − zero)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dequantize {
    /// Which elements share a scale. The constants are the scales and the zero points.
    pub scaling: Scaling,
}

impl Operator for Quantize {
    fn kind(&self) -> &'static str {
        "quantize"
    }

    fn check(&self) -> Result<(), Fault> {
        self.scaling.check()
    }

    fn inputs(&self) -> Extents {
        one(Element::F32, self.scaling.len())
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.scaling.len())
    }

    fn constants(&self) -> Extents {
        self.scaling.constants()
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        let (input, constants) = (args.input(0), args.constants.clone());
        self.scaling
            .map(&constants, input, args.output(0), |x: f32, scale, zero| {
                let scaled = (x / scale).clamp(-512.0, 512.0);
                // A NaN becomes 0 here; the sum is a small integer.
                let rounded = ((scaled + ROUND) - ROUND) as i32 + zero as i32;
                rounded.clamp(-128, 127) as i8
            });
    }
}

impl Operator for Dequantize {
    fn kind(&self) -> &'static str {
        "dequantize"
    }

    fn check(&self) -> Result<(), Fault> {
        self.scaling.check()
    }

    fn inputs(&self) -> Extents {
        one(Element::I8, self.scaling.len())
    }

    fn outputs(&self) -> Extents {
        one(Element::F32, self.scaling.len())
    }

    fn constants(&self) -> Extents {
        self.scaling.constants()
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        let (input, constants) = (args.input(0), args.constants.clone());
        self.scaling
            .map(&constants, input, args.output(0), |x: i8, scale, zero| {
                scale * (f32::from(x) - zero)
            });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bytes, close, floats, hostile, run};
    use super::*;

    const TENSOR: Scaling = Scaling {
        outer: 1,
        channels: 1,
        inner: 6,
    };
    const CHANNELS: Scaling = Scaling {
        outer: 2,
        channels: 2,
        inner: 2,
    };

    #[test]
    fn halves_go_to_even_and_limits_hold() {
        let values = floats(&[0.25, 0.75, -0.25, 1e9, f32::NEG_INFINITY, f32::NAN]);
        let constants = [floats(&[0.5]), bytes(&[3])];
        let got = run(&Quantize { scaling: TENSOR }, &[values], &constants);
        assert_eq!(got[0], bytes(&[3, 5, 3, 127, -128, 3]));
    }

    #[test]
    fn channels_have_their_own_scales() {
        let constants = [floats(&[0.5, 2.0]), bytes(&[1, -1])];
        let values = [1, 2, 3, 4, 5, 6, 7, 8];
        let scaling = CHANNELS;
        let got = run(&Dequantize { scaling }, &[bytes(&values)], &constants);
        let expected = [0.0, 0.5, 8.0, 10.0, 2.0, 2.5, 16.0, 18.0];
        close(&got[0], expected, 0.0);
        let back = run(&Quantize { scaling }, &got, &constants);
        assert_eq!(back[0], bytes(&values));
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[Quantize { scaling: CHANNELS }]);
        hostile(&[Dequantize { scaling: CHANNELS }]);
    }
}
