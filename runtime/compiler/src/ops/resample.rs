//! Resampling by tables of taps, which lowering makes: one axis in float, or rows and columns of
//! an image of int8 at once.

use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::float::resample;
use microtome_kernels::num::Shape;
use microtome_kernels::reference::resize::{self, ONE};

/// What each element of one axis is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Taps {
    /// Elements that each is made of.
    pub taps: usize,
    /// Where they are, `[len][taps]`; −1 is outside.
    pub places: Vec<i32>,
    /// With which weights.
    pub weights: Vec<f32>,
}

/// The middle axis of `[outer][in_len][inner]`, in float.
#[derive(Clone, Debug, PartialEq)]
pub struct Resample {
    /// What lies outside of the axis.
    pub outer: usize,
    /// Elements of the input along the axis.
    pub in_len: usize,
    /// What lies inside of the axis.
    pub inner: usize,
    /// What the output is made of.
    pub taps: Taps,
    /// What outside reads.
    pub outside: f32,
}

impl GraphOp for Resample {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        self.float(edges)
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let Taps {
            taps,
            places,
            weights,
        } = &self.taps;
        let params = resample::ResampleF32 {
            outer: self.outer,
            in_len: self.in_len,
            out_len: places.len() / taps,
            inner: self.inner,
            taps: *taps,
            outside: self.outside,
        };
        let constants = [bytemuck::cast_slice(places), bytemuck::cast_slice(weights)];
        Ok(Kernel::new(params, edges).with(constants.map(<[u8]>::to_vec).into()))
    }

    fn has_integer(&self, _: &Edges<'_>) -> bool {
        false
    }
}

/// Rows and columns of an image of int8, each of two taps within the image.
#[derive(Clone, Debug, PartialEq)]
pub struct ResizeLinear {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// What rows and columns are made of.
    pub taps: [Taps; 2],
}

impl GraphOp for ResizeLinear {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = resize::ResizeLinear {
            input: self.input,
            output: self.output,
        };
        let constants = self.taps.iter().flat_map(|taps| {
            let second = taps.weights.chunks_exact(2);
            let fixed = |pair: &[f32]| (pair[1] * f32::from(ONE)).round().clamp(0.0, ONE.into());
            let weights: Vec<i16> = second.map(|pair| fixed(pair) as i16).collect();
            [
                bytemuck::cast_slice(&taps.places).to_vec(),
                bytemuck::cast_slice(&weights).to_vec(),
            ]
        });
        Ok(Kernel::new(params, edges).with(constants.collect()))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        Err(Refusal::NotQuantized {
            value: edges.input_edge(0).name.clone(),
        })
    }

    fn keeps_quantization(&self) -> bool {
        true
    }
}
