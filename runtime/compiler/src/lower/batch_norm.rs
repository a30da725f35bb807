//! `BatchNormalization`: a factor and a summand of each channel. They are folded into the
//! convolution before it where nobody else reads that, and are a 1×1 depthwise one where not.

use super::Lowering;
use super::clamp::{fuse, is_only_use};
use super::operand::Activation;
use crate::error::Refusal;
use crate::graph::{Bounds, Layout, NodeId, Op};
use crate::import::source::SourceNode;
use crate::ops::convolution::{Convolution, Weights};
use crate::report::Fate;
use microtome_kernels::num::{Shape, Window};

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    node.attributes.require_int("training_mode", 0)?;
    let dims = cx.input_dims(node, 0)?.to_vec();
    let channels = dims.get(1).copied().unwrap_or(0);
    let affine = affine(cx, node, channels)?;
    let input = cx.strided(node, 0)?;
    if let Some(producer) = foldable(cx, node, &input, channels)?
        && let Op::Convolution(convolution) = &mut cx.graph.nodes[producer.0].op
        && affine.fold_into(convolution)
    {
        fuse(cx, node, producer);
        cx.alias(node, input)?;
        return Ok(Fate::FusedInto(producer.0));
    }
    let layout = Layout::channels_last(&dims);
    let input = cx.laid_out(node, input, &layout)?;
    let convolution = affine.convolution(layout.len() / channels.max(1));
    cx.add_node(node, convolution, &[&input], layout)
}

/// Factor and summand of each channel.
pub(super) struct Affine {
    /// The factors.
    pub factors: Vec<f64>,
    /// The summands.
    pub summands: Vec<f64>,
}

fn affine(cx: &Lowering<'_>, node: &SourceNode, channels: usize) -> Result<Affine, Refusal> {
    let epsilon = f64::from(node.attributes.float("epsilon", 1e-5)?);
    let values = |operand: usize| -> Result<Vec<f64>, Refusal> {
        let value = || cx.name(node, operand);
        let values = cx.reals(node, operand);
        let values = match values {
            Some(values) => values,
            None => return Err(Refusal::NotConstant { value: value()? }),
        };
        if values.len() != channels || channels == 0 {
            return Err(Refusal::Shape {
                found: vec![vec![values.len()], vec![channels]],
            });
        }
        Ok(values.iter().map(|&it| it.into()).collect())
    };
    let (gamma, beta, mean, variance) = (values(1)?, values(2)?, values(3)?, values(4)?);
    let factors: Vec<f64> = gamma
        .iter()
        .zip(&variance)
        .map(|(gamma, variance)| gamma / (variance + epsilon).sqrt())
        .collect();
    let summands = (0..channels).map(|it| beta[it] - mean[it] * factors[it]);
    Ok(Affine {
        summands: summands.collect(),
        factors,
    })
}

/// The convolution that alone makes `input`, as it is: neither quantized nor clamped.
fn foldable(
    cx: &Lowering<'_>,
    node: &SourceNode,
    input: &Activation,
    channels: usize,
) -> Result<Option<NodeId>, Refusal> {
    let edge = cx.graph.edge(input.edge);
    let as_is = edge.quantization.is_none() && edge.bounds == Bounds::NONE;
    let only_use = is_only_use(cx, cx.input(node, 0)?);
    let last = input
        .layout
        .same_memory(&Layout::channels_last(&input.layout.dims));
    let producer = edge.producer.filter(|_| as_is && only_use && last);
    Ok(
        producer.filter(|producer| match &cx.graph.nodes[producer.0].op {
            Op::Convolution(convolution) => convolution.output.channels == channels,
            _ => false,
        }),
    )
}

impl Affine {
    /// Whether the weights could take the factors.
    fn fold_into(&self, convolution: &mut Convolution) -> bool {
        let taps = convolution.taps();
        match &mut convolution.weights {
            Weights::Float(values) => {
                for (weights, factor) in values.chunks_exact_mut(taps).zip(&self.factors) {
                    weights
                        .iter_mut()
                        .for_each(|it| *it = (f64::from(*it) * factor) as f32);
                }
            }
            Weights::Quantized { values, scales } => {
                // −128 has no negative, and no scale is 0.
                let takes = self.factors.iter().all(|&factor| factor != 0.0);
                if !takes || values.contains(&i8::MIN) {
                    return false;
                }
                for (channel, &factor) in self.factors.iter().enumerate() {
                    scales[channel] = (f64::from(scales[channel]) * factor.abs()) as f32;
                    if factor < 0.0 {
                        let weights = &mut values[channel * taps..][..taps];
                        weights.iter_mut().for_each(|it| *it = -*it);
                    }
                }
            }
        }
        for (channel, bias) in convolution.bias.iter_mut().enumerate() {
            *bias = *bias * self.factors[channel] + self.summands[channel];
        }
        true
    }

    /// A depthwise convolution of `pixels` pixels, whose int8 weights are the factors to within
    /// float's precision: each has a scale of its own.
    pub(super) fn convolution(self, pixels: usize) -> Convolution {
        const LARGEST: i8 = 127;
        let quantized = |&factor: &f64| {
            let value = match factor {
                0.0 => 0,
                factor if factor < 0.0 => -LARGEST,
                _ => LARGEST,
            };
            let scale = if factor == 0.0 {
                1.0
            } else {
                (factor.abs() / f64::from(LARGEST)) as f32
            };
            (value, scale)
        };
        let (values, scales) = self.factors.iter().map(quantized).unzip();
        let shape = Shape {
            height: pixels,
            width: 1,
            channels: self.factors.len(),
        };
        Convolution {
            input: shape,
            output: shape,
            window: Window {
                kernel: [1, 1],
                stride: [1, 1],
                dilation: [1, 1],
                pad: [0, 0],
            },
            groups: self.factors.len(),
            weights: Weights::Quantized { values, scales },
            bias: self.summands,
        }
    }
}
