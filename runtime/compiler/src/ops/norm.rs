//! Normalisation to mean 0 and variance 1, or to a root mean square of 1, of groups of channels:
//! layer, group and instance norm, and the like.

use super::factor::multiplier;
use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::float::channel_norm::ChannelNorm;
use microtome_kernels::float::norm::{NormF32, NormKind};
use microtome_kernels::float::source::Source;
use microtome_kernels::reference::layer_norm::{LayerNorm, NORMALIZED_MAX};
use microtome_kernels::view::Strides;

/// Factor or summand of each channel.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    /// There is none.
    None,
    /// Constant numbers.
    Constant(Vec<f32>),
    /// An operand behind the input.
    Operand,
}

impl Parameter {
    const fn source(&self) -> Source {
        match self {
            Self::None => Source::None,
            Self::Constant(_) => Source::Constant,
            Self::Operand => Source::Operand,
        }
    }

    /// The constant numbers, or `default` for each of `count`; `None` for an operand.
    fn values(&self, default: f32, count: usize) -> Option<Vec<f32>> {
        match self {
            Self::None => Some(vec![default; count]),
            Self::Constant(values) => Some(values.clone()),
            Self::Operand => None,
        }
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Constant(values) => Some(bytemuck::cast_slice(values).to_vec()),
            Self::None | Self::Operand => None,
        }
    }
}

/// How the normalised elements lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// `[row][channel]`: a row is normalised by itself.
    Rows,
    /// `[group][channel][pixel]`: a group is normalised by itself, over all pixels.
    Planes,
    /// `[pixel][group][channel]`: the same, with channels last.
    Interleaved,
}

/// Parameters of a normalisation.
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    /// How the elements lie.
    pub memory: Memory,
    /// Rows or groups that are normalised each by itself.
    pub groups: usize,
    /// Channels of each.
    pub channels: usize,
    /// Pixels; 1 for rows.
    pub pixels: usize,
    /// Whether the mean is left as it is.
    pub rms: bool,
    /// What is added to the variance.
    pub epsilon: f32,
    /// The factor of each channel: of a row's, or of all groups'.
    pub gamma: Parameter,
    /// The summand of each channel.
    pub beta: Parameter,
    /// Whether mean and deviation are results, too.
    pub moments: bool,
}

/// The largest gamma in int16.
const GAMMA_MAX: f64 = 32767.0;
/// The fixed points of normalised values, and of beta beside that of gamma.
const NORMALIZED_ONE: f64 = 1_048_576.0;
const BETA_ONE: f64 = 256.0;

impl Norm {
    /// How many channels have a gamma and beta.
    const fn parameters(&self) -> usize {
        match self.memory {
            Memory::Rows => self.channels,
            Memory::Planes | Memory::Interleaved => self.groups * self.channels,
        }
    }

    /// Elements that are normalised together.
    const fn count(&self) -> usize {
        self.channels * self.pixels
    }

    /// Strides along groups, channels and pixels of the elements, and of gamma and beta.
    fn views(&self) -> [Strides; 2] {
        let (channels, pixels) = (self.channels as isize, self.pixels as isize);
        let groups = self.groups as isize;
        let (view, affine) = match self.memory {
            Memory::Rows => ([channels, 1, 1], [0, 1, 0]),
            Memory::Planes => ([channels * pixels, pixels, 1], [channels, 1, 0]),
            Memory::Interleaved => ([channels, 1, channels * groups], [channels, 1, 0]),
        };
        [view, affine].map(|[group, channel, pixel]| Strides {
            offset: 0,
            strides: [0, 0, 0, group, channel, pixel],
        })
    }

    /// Gamma in int16 and beta in int32, and the scale of gamma.
    fn affine(&self) -> Option<(Vec<i16>, Vec<i32>, f64)> {
        let count = self.parameters();
        let (gamma, beta) = (
            self.gamma.values(1.0, count)?,
            self.beta.values(0.0, count)?,
        );
        let largest = |values: &[f32]| {
            values
                .iter()
                .fold(0.0, |max, it| f64::from(it.abs()).max(max))
        };
        // Beta keeps two bits of headroom in int32.
        let scale = (largest(&gamma) / GAMMA_MAX)
            .max(largest(&beta) * BETA_ONE / f64::from(1 << 29))
            .max(f64::MIN_POSITIVE.sqrt());
        let gamma = gamma
            .iter()
            .map(|&it| (f64::from(it) / scale).round() as i16);
        let beta = beta
            .iter()
            .map(|&it| (f64::from(it) / scale * BETA_ONE).round() as i32);
        Some((gamma.collect(), beta.collect(), scale))
    }
}

impl GraphOp for Norm {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let (input, output) = (edges.input(0)?, f64::from(edges.output()?.scale));
        let [view, affine_view] = self.views();
        let count = self.count() as f64;
        let squares = count / f64::from(input.scale);
        let epsilon = f64::from(self.epsilon) * squares * squares * 256.0;
        let has_affine = [&self.gamma, &self.beta]
            .iter()
            .any(|it| **it != Parameter::None);
        let affine = if has_affine { self.affine() } else { None };
        // A normalised value is at most the root of how many there are.
        let factor = match &affine {
            Some((_, _, scale)) => multiplier(scale / BETA_ONE / output, 1.0)?,
            None => multiplier(1.0 / NORMALIZED_ONE / output, 1.0)?,
        };
        let params = LayerNorm {
            dims: [1, 1, 1, self.groups, self.channels, self.pixels],
            kept: 4,
            view,
            rms: self.rms,
            zero: input.zero,
            // A cast of a float saturates; the kernel's own check refuses what is too large.
            epsilon: epsilon.round() as u64,
            affine: has_affine.then_some(affine_view),
            factor,
            store: edges.store()?,
        };
        let constants = affine.map_or(Vec::new(), |(gamma, beta, _)| {
            vec![
                bytemuck::cast_slice(&gamma).to_vec(),
                bytemuck::cast_slice(&beta).to_vec(),
            ]
        });
        Ok(Kernel::new(params, edges).with(constants))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let constants = [&self.gamma, &self.beta]
            .into_iter()
            .filter_map(Parameter::bytes);
        let constants = constants.collect();
        let (gamma, beta) = (self.gamma.source(), self.beta.source());
        let kernel = if self.memory == Memory::Rows {
            let params = NormF32 {
                kind: if self.rms {
                    NormKind::Rms
                } else {
                    NormKind::Layer
                },
                rows: self.groups,
                len: self.channels,
                epsilon: self.epsilon,
                gamma,
                beta,
                moments: self.moments,
            };
            Kernel::new(params, edges)
        } else {
            let params = ChannelNorm {
                pixels: self.pixels,
                channels: self.groups * self.channels,
                groups: self.groups,
                channels_last: self.memory == Memory::Interleaved,
                epsilon: self.epsilon,
                gamma,
                beta,
            };
            Kernel::new(params, edges)
        };
        Ok(kernel.with(constants))
    }

    fn has_integer(&self, _edges: &Edges<'_>) -> bool {
        let constant = [&self.gamma, &self.beta]
            .iter()
            .all(|it| **it != Parameter::Operand);
        constant && !self.moments && self.count() <= NORMALIZED_MAX
    }

    fn takes_bounds(&self) -> bool {
        true
    }
}
