//! Transposed convolution, with groups.

use super::convolution::{Tensors, Weights};
use super::factor::multiplier;
use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::float::conv_transpose::ConvTransposeF32;
use microtome_kernels::float::source::Source;
use microtome_kernels::num::{Shape, Window};
use microtome_kernels::reference::conv_transpose;

/// Parameters and constants of a transposed convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvTranspose {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// The window, which slides over the output.
    pub window: Window,
    /// Groups.
    pub groups: usize,
    /// The weights, in a convolution's order.
    pub weights: Weights,
    /// Bias of each output channel, as a real number.
    pub bias: Vec<f64>,
}

/// Largest difference of two int8 values.
const SPAN: i64 = 255;

impl ConvTranspose {
    /// Weights of one output channel.
    const fn taps(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1] * (self.input.channels / self.groups)
    }
}

impl GraphOp for ConvTranspose {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let Weights::Quantized { values, scales } = &self.weights else {
            return Err(Refusal::WeightsNotQuantized {
                value: edges.output_edge().name.clone(),
            });
        };
        let (input, output) = (edges.input(0)?, f64::from(edges.output()?.scale));
        let mut tensors = Tensors::default();
        for (channel, weights) in values.chunks_exact(self.taps()).enumerate() {
            let scale = f64::from(input.scale) * f64::from(scales[channel]);
            let bias = self.bias[channel] / scale;
            // The kernel subtracts the zero point from each input: which of them a sum has depends
            // on the output's place.
            tensors.push(weights, bias, 0, scale / output)?;
            let magnitude: i64 = weights.iter().map(|&it| i64::from(it).abs()).sum();
            let bound = (bias.abs() as i64).saturating_add(magnitude * SPAN);
            if bound > i64::from(i32::MAX) {
                return Err(Refusal::Overflow { channel, bound });
            }
            multiplier(scale / output, bound as f64)?;
        }
        let params = conv_transpose::ConvTranspose {
            input: self.input,
            output: self.output,
            window: self.window,
            groups: self.groups,
            input_zero: input.zero,
            store: edges.store()?,
        };
        Ok(Kernel::new(params, edges).with(tensors.constants(values)))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let (min, max) = edges.float_bounds();
        let params = ConvTransposeF32 {
            input: self.input,
            output: self.output,
            window: self.window,
            groups: self.groups,
            min,
            max,
            weights: Source::Constant,
            bias: Source::Constant,
        };
        let bias: Vec<f32> = self.bias.iter().map(|&it| it as f32).collect();
        let constants = [&self.weights.reals(self.taps()), &bias];
        let constants = constants.map(|it| bytemuck::cast_slice(it).to_vec());
        Ok(Kernel::new(params, edges).with(constants.into()))
    }

    fn has_integer(&self, _edges: &Edges<'_>) -> bool {
        matches!(self.weights, Weights::Quantized { .. })
    }

    fn takes_bounds(&self) -> bool {
        true
    }

    fn takes_float_bounds(&self) -> bool {
        true
    }
}
