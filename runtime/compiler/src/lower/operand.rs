//! What a source value is in the graph, and what an operator may assume of its operands.

use super::Lowering;
use crate::error::Refusal;
use crate::graph::{EdgeId, Layout};
use crate::import::source::{Elements, SourceNode, SourceValue, ValueId};
use microtome_kernels::num::Shape;

/// What a source value has become.
#[derive(Clone, Debug)]
pub(super) enum Binding {
    Activation(Activation),
    Quantized(QuantizedConstant),
}

/// A value that an edge of the graph holds.
#[derive(Clone, Debug)]
pub(super) struct Activation {
    pub edge: EdgeId,
    /// How the edge's memory is the source value.
    pub layout: Layout,
    pub stage: Stage,
}

/// Where between two quantizers a source value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Real numbers that no quantizer has seen.
    Real,
    /// The integers between a `QuantizeLinear` and a `DequantizeLinear`.
    Quantized,
    /// Real numbers that are exactly those of the int8 edge.
    Dequantized,
}

/// Weights or a bias: constant integers behind a `DequantizeLinear`.
#[derive(Clone, Debug)]
pub(super) struct QuantizedConstant {
    pub dims: Vec<usize>,
    pub values: QuantizedValues,
    /// One, or one for each index of `axis`.
    pub scales: Vec<f32>,
    pub axis: usize,
}

/// Integers whose zero point is 0.
#[derive(Clone, Debug)]
pub(super) enum QuantizedValues {
    I8(Vec<i8>),
    I32(Vec<i32>),
}

impl QuantizedConstant {
    /// The scale of each of the `count` indices of `axis`.
    pub fn scales_along(&self, axis: usize, count: usize) -> Option<Vec<f32>> {
        match *self.scales {
            [scale] => Some(vec![scale; count]),
            _ => (self.axis == axis && self.scales.len() == count).then(|| self.scales.clone()),
        }
    }

    /// The real numbers, for one axis. `units` are scales that are known more exactly, one for
    /// each index; those of the constant that are the same in float are taken to be these.
    fn reals(&self, units: &[f64]) -> Vec<f64> {
        let integers: Vec<i32> = match &self.values {
            QuantizedValues::I8(values) => values.iter().map(|&value| value.into()).collect(),
            QuantizedValues::I32(values) => values.clone(),
        };
        let scale = |index: usize| {
            let scale = f64::from(self.scales[index % self.scales.len()]);
            let unit = units.get(index).copied().unwrap_or(scale);
            let is_unit = (scale - unit).abs() <= f64::from(f32::EPSILON) * unit;
            if is_unit { unit } else { scale }
        };
        let reals = integers.iter().enumerate();
        reals
            .map(|(index, &value)| scale(index) * f64::from(value))
            .collect()
    }
}

impl Lowering<'_> {
    /// The id of operand `operand`, which must be there.
    pub(super) fn input(&self, node: &SourceNode, operand: usize) -> Result<ValueId, Refusal> {
        let id = node.inputs.get(operand).copied().flatten();
        id.ok_or(Refusal::OperandMissing { operand })
    }

    /// The id of the first result.
    pub(super) fn output(&self, node: &SourceNode) -> Result<ValueId, Refusal> {
        let id = node.outputs.first().copied();
        id.ok_or(Refusal::OperandMissing { operand: 0 })
    }

    /// The axes of operand `operand`.
    pub(super) fn input_dims(
        &self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<&[usize], Refusal> {
        Ok(&self.source.value(self.input(node, operand)?).dims)
    }

    /// The axes of the first result.
    pub(super) fn output_dims(&self, node: &SourceNode) -> Result<&[usize], Refusal> {
        Ok(&self.source.value(self.output(node)?).dims)
    }

    /// What operand `operand` has become, if it is not a plain constant.
    pub(super) fn binding(
        &self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<Option<&Binding>, Refusal> {
        Ok(self.bindings[self.input(node, operand)?.0].as_ref())
    }

    /// Operand `operand` as an activation in any stage.
    pub(super) fn activation(
        &self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<Activation, Refusal> {
        self.bound_activation(self.input(node, operand)?)
    }

    /// Operand `operand` as an activation whose int8 values are all that the operator reads.
    pub(super) fn dequantized(
        &self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<Activation, Refusal> {
        let activation = self.activation(node, operand)?;
        if activation.stage != Stage::Dequantized {
            return Err(Refusal::NotQuantized {
                value: self.name(node, operand)?,
            });
        }
        Ok(activation)
    }

    /// Operand `operand` as an image or sequence, `[1, C, H, W]` or `[1, C, H]` to the model and
    /// channels last in memory.
    pub(super) fn spatial(
        &self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<(Activation, Shape), Refusal> {
        let activation = self.dequantized(node, operand)?;
        let dims = self.input_dims(node, operand)?;
        let shape = spatial_shape(dims)?;
        if !activation.layout.same_memory(&Layout::channels_last(dims)) {
            return Err(Refusal::Layout {
                value: self.name(node, operand)?,
            });
        }
        Ok((activation, shape))
    }

    /// Operand `operand` as quantized int8 weights.
    pub(super) fn weights(
        &self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<(&QuantizedConstant, &[i8]), Refusal> {
        if let Some(Binding::Quantized(constant)) = self.binding(node, operand)?
            && let QuantizedValues::I8(values) = &constant.values
        {
            return Ok((constant, values));
        }
        Err(Refusal::WeightsNotQuantized {
            value: self.name(node, operand)?,
        })
    }

    /// The scale of the sums of products of `activation` with weights of these scales; 0 where it
    /// is not known.
    pub(super) fn sum_scales(&self, activation: EdgeId, scales: &[f32]) -> Vec<f64> {
        let quantization = self.graph.edge(activation).quantization;
        let input = quantization.map_or(0.0, |it| f64::from(it.scale));
        scales
            .iter()
            .map(|&scale| input * f64::from(scale))
            .collect()
    }

    /// Operand `operand` as real biases of sums of these scales; zeros when it is left out.
    /// Integers in the scale of the sums come out of it exactly, however large.
    pub(super) fn bias(
        &self,
        node: &SourceNode,
        operand: usize,
        sum_scales: &[f64],
    ) -> Result<Vec<f64>, Refusal> {
        let channels = sum_scales.len();
        let Some(id) = node.inputs.get(operand).copied().flatten() else {
            return Ok(vec![0.0; channels]);
        };
        let value = self.source.value(id);
        let bias = match (&self.bindings[id.0], &value.constant) {
            (Some(Binding::Quantized(constant)), _) => constant.reals(sum_scales),
            (None, Some(Elements::F32(values))) => {
                values.iter().map(|&value| value.into()).collect()
            }
            _ => return Err(not_constant(value)),
        };
        // A broadcast bias has its channels on the last axis, and 1 on the others.
        match bias.len() {
            1 => Ok(vec![bias[0]; channels]),
            len if len == channels && value.dims.last() == Some(&channels) => Ok(bias),
            _ => Err(Refusal::Shape {
                found: vec![value.dims.clone(), vec![channels]],
            }),
        }
    }

    /// Operand `operand` as constant integers; `None` when it is left out.
    pub(super) fn integers(
        &self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<Option<&[i64]>, Refusal> {
        let Some(id) = node.inputs.get(operand).copied().flatten() else {
            return Ok(None);
        };
        match &self.source.value(id).constant {
            Some(Elements::I64(values)) => Ok(Some(values)),
            _ => Err(not_constant(self.source.value(id))),
        }
    }

    /// Operand `operand` as one constant real number; `None` when it is left out.
    pub(super) fn real(&self, node: &SourceNode, operand: usize) -> Result<Option<f64>, Refusal> {
        let Some(id) = node.inputs.get(operand).copied().flatten() else {
            return Ok(None);
        };
        if let Some(Binding::Quantized(constant)) = &self.bindings[id.0]
            && let [value] = *constant.reals(&[])
        {
            return Ok(Some(value));
        }
        match self.source.value(id).constant.as_ref() {
            Some(Elements::F32(values)) if values.len() == 1 => Ok(Some(values[0].into())),
            _ => Err(not_constant(self.source.value(id))),
        }
    }

    /// The name of operand `operand`.
    pub(super) fn name(&self, node: &SourceNode, operand: usize) -> Result<String, Refusal> {
        Ok(self.source.value(self.input(node, operand)?).name.clone())
    }
}

/// The shape of `[1, C, H, W]` or, as a column, `[1, C, H]`.
pub(super) fn spatial_shape(dims: &[usize]) -> Result<Shape, Refusal> {
    let (channels, height, width) = match *dims {
        [1, channels, height] => (channels, height, 1),
        [1, channels, height, width] => (channels, height, width),
        _ => (0, 0, 0),
    };
    let shape = Shape {
        height,
        width,
        channels,
    };
    if shape.is_empty() {
        return Err(Refusal::Shape {
            found: vec![dims.into()],
        });
    }
    Ok(shape)
}

fn not_constant(value: &SourceValue) -> Refusal {
    Refusal::NotConstant {
        value: value.name.clone(),
    }
}
