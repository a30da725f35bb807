//! Functions of two numbers, element by element, with broadcasting.

use super::factor::multiplier;
use super::view::Views;
use super::{Edges, GraphOp, Kernel, Pulsed};
use crate::error::Refusal;
use crate::graph::Kind;
use crate::pulse::Stream;
use microtome_kernels::float::binary;
use microtome_kernels::float::binary_int::{BinaryInt, BinaryIntKind};
use microtome_kernels::float::logic::{Logic, LogicKind};
use microtome_kernels::float::pair::Pair;
use microtome_kernels::float::source::Source;
use microtome_kernels::reference::add::{Add, LEFT_SHIFT};
use microtome_kernels::reference::{div::Div, extremum::Extremum, mul::Mul, prelu};
use microtome_kernels::view::Broadcast;

/// Largest difference of two int8 values.
const SPAN: f64 = 255.0;

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are ONNX's")]
pub enum Function {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Max,
    Min,
    Mod,
    Fmod,
    /// The second operand is the slope of what is below zero in the first.
    Prelu,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}

/// A function of each pair of elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Binary {
    /// The function.
    pub function: Function,
    /// How the operands are read.
    pub views: Views<2>,
}

impl GraphOp for Binary {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        match edges.input_edge(0).kind {
            Kind::Integer => self.on_integers(edges),
            Kind::Truth => self.on_truths(edges),
            Kind::Real | Kind::Fixed => self.on_int8(edges),
        }
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        use binary::BinaryKind;
        let kind = match self.function {
            Function::Add => BinaryKind::Add,
            Function::Sub => BinaryKind::Sub,
            Function::Mul => BinaryKind::Mul,
            Function::Div => BinaryKind::Div,
            Function::Pow => BinaryKind::Pow,
            Function::Max => BinaryKind::Max,
            Function::Min => BinaryKind::Min,
            Function::Mod => BinaryKind::Mod,
            Function::Fmod => BinaryKind::Fmod,
            Function::Prelu => BinaryKind::Prelu,
            _ => return Err(Refusal::Operator),
        };
        let operands = self.pair(edges);
        Ok(Kernel::new(binary::Binary { kind, operands }, edges))
    }

    fn has_integer(&self, edges: &Edges<'_>) -> bool {
        match self.function {
            Function::Pow | Function::Mod | Function::Fmod => false,
            // Numbers of different scales are not compared without a change of scale.
            Function::Max | Function::Min => {
                let quantization = edges.output_edge().quantization;
                (0..2).all(|operand| edges.input_edge(operand).quantization == quantization)
            }
            _ => true,
        }
    }

    fn pulse(&self, edges: &Edges<'_>, stream: &Stream) -> Pulsed {
        stream.elementwise(edges, &self.views.dims, &self.views.strides)
    }

    fn takes_bounds(&self) -> bool {
        !matches!(self.function, Function::Max | Function::Min)
    }

    fn keeps_quantization(&self) -> bool {
        matches!(self.function, Function::Max | Function::Min)
    }
}

impl Binary {
    fn broadcast(&self) -> Broadcast {
        let [a, b] = self.views.strides;
        let dims = self.views.dims;
        Broadcast { dims, a, b }
    }

    fn pair(&self, edges: &Edges<'_>) -> Pair {
        let [a, b] = self.views.strides;
        Pair {
            dims: self.views.dims,
            a,
            b,
            a_len: edges.input_edge(0).len,
            b_len: edges.input_edge(1).len,
            a_source: Source::Operand,
            b_source: Source::Operand,
        }
    }

    fn on_int8(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let broadcast = self.broadcast();
        let inputs = [edges.input(0)?, edges.input(1)?];
        let (zeros, scales) = (
            inputs.map(|input| input.zero),
            inputs.map(|input| f64::from(input.scale)),
        );
        let output = f64::from(edges.output()?.scale);
        let store = edges.store()?;
        match self.function {
            Function::Add | Function::Sub => self.sum(edges),
            Function::Mul => {
                let mul = Mul {
                    broadcast,
                    zeros,
                    factor: multiplier(scales[0] * scales[1] / output, SPAN * SPAN)?,
                    store,
                };
                Ok(Kernel::new(mul, edges))
            }
            Function::Div => {
                let scale = multiplier(scales[0] / (scales[1] * output), SPAN)?;
                let (mantissas, shifts) = Div::factors(scale, zeros[1]);
                let constants = vec![
                    bytemuck::cast_slice(&mantissas).to_vec(),
                    bytemuck::cast_slice(&shifts).to_vec(),
                ];
                let quotient = Div {
                    broadcast,
                    zeros,
                    store,
                };
                Ok(Kernel::new(quotient, edges).with(constants))
            }
            Function::Max | Function::Min => {
                let maximum = self.function == Function::Max;
                Ok(Kernel::new(Extremum { maximum, broadcast }, edges))
            }
            Function::Prelu => {
                let prelu = prelu::PRelu {
                    broadcast,
                    zero: zeros[0],
                    positive: multiplier(scales[0] / output, SPAN)?,
                    negative: multiplier(scales[0] * scales[1] / output, SPAN * SPAN)?,
                    store,
                };
                Ok(Kernel::new(prelu, edges))
            }
            _ => Err(Refusal::Operator),
        }
    }

    /// TFLite's int8 `ADD` and `SUB`: operands are scaled to twice the larger scale, with 20 more
    /// bits.
    fn sum(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let inputs = [edges.input(0)?, edges.input(1)?];
        let scales = inputs.map(|input| f64::from(input.scale));
        let twice_max = 2.0 * scales[0].max(scales[1]);
        let shift = f64::from(1 << LEFT_SHIFT);
        let operand = |scale: f64| multiplier(scale / twice_max, SPAN * shift);
        let sum = twice_max / (shift * f64::from(edges.output()?.scale));
        let params = Add {
            subtract: self.function == Function::Sub,
            broadcast: self.broadcast(),
            zeros: inputs.map(|input| input.zero),
            factors: [operand(scales[0])?, operand(scales[1])?],
            factor: multiplier(sum, SPAN * shift)?,
            store: edges.store()?,
        };
        Ok(Kernel::new(params, edges))
    }

    fn on_integers(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let kind = match self.function {
            Function::Add => BinaryIntKind::Add,
            Function::Sub => BinaryIntKind::Sub,
            Function::Mul => BinaryIntKind::Mul,
            Function::Div => BinaryIntKind::Div,
            Function::Pow => BinaryIntKind::Pow,
            Function::Max => BinaryIntKind::Max,
            Function::Min => BinaryIntKind::Min,
            Function::Mod => BinaryIntKind::Mod,
            Function::Fmod => BinaryIntKind::Fmod,
            Function::And => BinaryIntKind::And,
            Function::Or => BinaryIntKind::Or,
            Function::Xor => BinaryIntKind::Xor,
            Function::ShiftLeft => BinaryIntKind::ShiftLeft,
            Function::ShiftRight => BinaryIntKind::ShiftRight,
            Function::Prelu => return Err(Refusal::Operator),
        };
        let operands = self.pair(edges);
        Ok(Kernel::new(BinaryInt { kind, operands }, edges))
    }

    fn on_truths(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let kind = match self.function {
            Function::And => LogicKind::And,
            Function::Or => LogicKind::Or,
            Function::Xor => LogicKind::Xor,
            _ => return Err(Refusal::Operator),
        };
        let operands = self.pair(edges);
        Ok(Kernel::new(Logic { kind, operands }, edges))
    }
}
