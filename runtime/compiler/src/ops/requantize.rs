//! The same real numbers, held otherwise: at another scale, clamped, as int8 or as float.

use super::factor::multiplier;
use super::{Edges, GraphOp, Kernel, Pulsed};
use crate::error::Refusal;
use crate::graph::Quantization;
use crate::pulse::Stream;
use microtome_kernels::float::quantize::{Dequantize, Quantize, Scaling};
use microtome_kernels::float::unary::{Function, Unary, UnaryKind};
use microtome_kernels::reference::{clamp::Clamp, rescale::Rescale};

/// Largest difference of two int8 values.
const SPAN: f64 = 255.0;

/// The same real numbers, clamped to the output's bounds, at the output's scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Requantize;

impl GraphOp for Requantize {
    fn is_of_reals(&self) -> bool {
        true
    }

    /// A clamp where the quantization stays, else a rescale that clamps.
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let (input, output, store) = (edges.input(0)?, edges.output()?, edges.store()?);
        let len = edges.len();
        if input == output {
            let clamp = Clamp {
                len,
                min: store.min,
                max: store.max,
            };
            return Ok(Kernel::new(clamp, edges));
        }
        let factor = f64::from(input.scale) / f64::from(output.scale);
        let rescale = Rescale {
            len,
            zero: input.zero,
            factor: multiplier(factor, SPAN)?,
            store,
        };
        Ok(Kernel::new(rescale, edges))
    }

    /// From or to int8, or a clamp in float; never both, see [`crate::precision`].
    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let len = edges.len();
        let (min, max) = edges.float_bounds();
        let quantizations = [edges.input_edge(0), edges.output_edge()].map(|it| it.quantization);
        Ok(match quantizations {
            [Some(from), _] => Kernel::new(
                Dequantize {
                    scaling: whole(len),
                },
                edges,
            )
            .with(constants(from)),
            [None, Some(to)] => Kernel::new(
                Quantize {
                    scaling: whole(len),
                },
                edges,
            )
            .with(constants(to)),
            [None, None] => {
                let function = Function {
                    kind: UnaryKind::Clip,
                    alpha: min,
                    beta: max,
                };
                Kernel::new(Unary { function, len }, edges)
            }
        })
    }

    fn pulse(&self, _edges: &Edges<'_>, _stream: &Stream) -> Pulsed {
        Pulsed::Local
    }

    fn takes_bounds(&self) -> bool {
        true
    }

    fn takes_float_bounds(&self) -> bool {
        true
    }
}

/// One scale for all `len` elements.
const fn whole(len: usize) -> Scaling {
    Scaling {
        outer: 1,
        channels: 1,
        inner: len,
    }
}

/// Scale and zero point as the kernels take them.
fn constants(Quantization { scale, zero }: Quantization) -> Vec<Vec<u8>> {
    vec![scale.to_le_bytes().to_vec(), vec![zero.cast_unsigned()]]
}
