//! What a source value is in the graph, and what an operator may assume of its operands.

use super::Lowering;
use crate::error::Refusal;
use crate::graph::{Constant, EdgeId, Kind, Layout, Quantization};
use crate::import::source::{Elements, SourceNode, SourceValue, ValueId};
use crate::ops::convolution::Weights;
use crate::ops::copy::Copy;
use crate::ops::view::Views;
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

impl Activation {
    /// The real numbers of an edge.
    pub const fn real(edge: EdgeId, layout: Layout) -> Self {
        Self {
            edge,
            layout,
            stage: Stage::Real,
        }
    }
}

/// What of an edge a source value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// What its elements stand for.
    Real,
    /// Its int8 values themselves, between a `QuantizeLinear` and a `DequantizeLinear`.
    Quantized,
}

/// Weights or a bias: constant integers behind a `DequantizeLinear`.
#[derive(Clone, Debug)]
pub(super) struct QuantizedConstant {
    pub dims: Vec<usize>,
    pub values: QuantizedValues,
    /// One, or one for each index of `axis`.
    pub scales: Vec<f32>,
    /// As many; 0 for int32.
    pub zeros: Vec<i32>,
    pub axis: usize,
}

/// Integers as the file has them; those of uint8 are shifted by −128.
#[derive(Clone, Debug)]
pub(super) enum QuantizedValues {
    I8(Vec<i8>),
    I32(Vec<i32>),
}

/// Constant weights as the model has them.
#[derive(Clone, Debug)]
pub(super) enum ConstantWeights {
    /// int8 with their scales.
    Quantized(QuantizedConstant),
    /// Real numbers.
    Float(Vec<f32>),
}

impl ConstantWeights {
    /// The weights of a convolution with `channels` output channels along `axis`, each weight
    /// from the index that `order` gives; `None` where the scales are along another axis.
    pub fn arranged(
        self,
        axis: usize,
        channels: usize,
        order: impl Iterator<Item = usize>,
    ) -> Option<Weights> {
        Some(match self {
            Self::Float(values) => Weights::Float(order.map(|at| values[at]).collect()),
            Self::Quantized(constant) => {
                let scales = constant.scales_along(axis, channels)?;
                let QuantizedValues::I8(values) = constant.values else {
                    return None;
                };
                Weights::Quantized {
                    values: order.map(|at| values[at]).collect(),
                    scales,
                }
            }
        })
    }
}

impl QuantizedConstant {
    fn is_int8(&self) -> bool {
        matches!(self.values, QuantizedValues::I8(_))
    }

    /// Its quantization as an activation's, if it has one scale.
    fn per_tensor(&self) -> Option<Quantization> {
        match (&*self.scales, &*self.zeros) {
            (&[scale], &[zero]) if self.is_int8() => Some(Quantization {
                scale,
                zero: zero as i8,
            }),
            _ => None,
        }
    }

    /// The scale of each of the `count` indices of `axis`.
    pub fn scales_along(&self, axis: usize, count: usize) -> Option<Vec<f32>> {
        match *self.scales {
            [scale] => Some(vec![scale; count]),
            _ => (self.axis == axis && self.scales.len() == count).then(|| self.scales.clone()),
        }
    }

    /// The real numbers.
    pub fn reals(&self) -> Vec<f64> {
        self.reals_by(&[])
    }

    /// The real numbers, with scales that are known more exactly, one for each index of the axis:
    /// a scale that is the same in float is taken to be that one.
    fn reals_by(&self, exact: &[f64]) -> Vec<f64> {
        let integers: Vec<i32> = match &self.values {
            QuantizedValues::I8(values) => values.iter().map(|&value| value.into()).collect(),
            QuantizedValues::I32(values) => values.clone(),
        };
        let inner: usize = self.dims.iter().skip(self.axis + 1).product();
        let scale = |index: usize| {
            let scale = f64::from(self.scales[index / inner % self.scales.len()]);
            let exact = exact.get(index / inner).copied().unwrap_or(scale);
            let is_same = (scale - exact).abs() <= f64::from(f32::EPSILON) * exact;
            if is_same { exact } else { scale }
        };
        let zero = |index: usize| f64::from(self.zeros[index / inner % self.zeros.len()]);
        let reals = integers.iter().enumerate();
        reals
            .map(|(index, &value)| scale(index) * (f64::from(value) - zero(index)))
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
        let id = node.outputs.first().copied().flatten();
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

    /// Operand `operand` as what its elements stand for: an activation, or a constant that
    /// becomes one.
    pub(super) fn operand(
        &mut self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<Activation, Refusal> {
        let id = self.input(node, operand)?;
        if let Some(Binding::Activation(activation)) = &self.bindings[id.0] {
            return match activation.stage {
                Stage::Real => Ok(activation.clone()),
                Stage::Quantized => Err(Refusal::Type {
                    value: self.name(node, operand)?,
                    found: "quantized integers",
                }),
            };
        }
        self.constant_operand(id)
    }

    fn constant_operand(&mut self, id: ValueId) -> Result<Activation, Refusal> {
        let value = self.source.value(id);
        let layout = Layout::row_major(&value.dims);
        if let Some(&edge) = self.constants.get(&id) {
            return Ok(Activation::real(edge, layout));
        }
        let (constant, quantization) = match (&self.bindings[id.0], &value.constant) {
            (Some(Binding::Quantized(constant)), _) => {
                let reals = constant.reals().iter().map(|&it| it as f32).collect();
                (Constant::Real(reals), constant.per_tensor())
            }
            (_, Some(elements)) => (constant_of(value, elements)?, None),
            _ => return Err(not_constant(value)),
        };
        let kind = match constant {
            Constant::Real(_) => Kind::Real,
            Constant::Integer(_) => Kind::Integer,
            Constant::Truth(_) => Kind::Truth,
        };
        let edge = self.graph.add_edge(&value.name, kind, layout.len());
        let it = self.graph.edge_mut(edge);
        (it.constant, it.quantization) = (Some(constant), quantization);
        self.constants.insert(id, edge);
        Ok(Activation::real(edge, layout))
    }

    /// `activation` with its memory in the order of `layout`, by a copy if it is in another one.
    pub(super) fn laid_out(
        &mut self,
        node: &SourceNode,
        activation: Activation,
        layout: &Layout,
    ) -> Result<Activation, Refusal> {
        if activation.layout.same_memory(layout) {
            let layout = layout.clone();
            return Ok(Activation {
                layout,
                ..activation
            });
        }
        // Memory whose axes are not the model's is first put into the model's order, over its own
        // axes: that is the model's order over any axes.
        let activation = match activation.layout.on(&layout.dims) {
            Some(layout) => Activation {
                layout,
                ..activation
            },
            None => {
                let own = Layout::row_major(&activation.layout.dims);
                let copied = self.copied(node, &activation, &own)?;
                let layout = Layout::row_major(&layout.dims);
                Activation { layout, ..copied }
            }
        };
        if activation.layout.same_memory(layout) {
            return Ok(activation);
        }
        self.copied(node, &activation, layout)
    }

    /// A copy of `activation` in the order of `layout`, which has its axes.
    pub(super) fn copied(
        &mut self,
        node: &SourceNode,
        activation: &Activation,
        layout: &Layout,
    ) -> Result<Activation, Refusal> {
        let strides = activation.layout.strides();
        let axes = layout.order.iter();
        let axes: Vec<_> = axes
            .map(|&axis| (layout.dims[axis], [strides[axis]]))
            .collect();
        let kind = self.graph.edge(activation.edge).kind;
        let view = Views::new([0], &axes)?;
        self.add_step(node, kind, Copy(view), &[activation], layout.clone())
    }

    /// Operand `operand` row major in the model's own order.
    pub(super) fn row_major(
        &mut self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<Activation, Refusal> {
        let activation = self.operand(node, operand)?;
        let layout = Layout::row_major(self.input_dims(node, operand)?);
        self.laid_out(node, activation, &layout)
    }

    /// Operand `operand` as an image or sequence, `[1, C, H, W]` or `[1, C, H]` to the model and
    /// channels last in memory.
    pub(super) fn spatial(
        &mut self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<(Activation, Shape), Refusal> {
        let activation = self.operand(node, operand)?;
        let dims = self.input_dims(node, operand)?;
        let (shape, layout) = (spatial_shape(dims)?, Layout::channels_last(dims));
        Ok((self.laid_out(node, activation, &layout)?, shape))
    }

    /// Operand `operand` as constant weights: int8, or float. Also their axes.
    pub(super) fn weights(
        &self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<(Vec<usize>, ConstantWeights), Refusal> {
        let id = self.input(node, operand)?;
        let value = self.source.value(id);
        let weights = match (&self.bindings[id.0], &value.constant) {
            (Some(Binding::Quantized(constant)), _) if constant.is_int8() => {
                match constant.zeros.iter().find(|&&zero| zero != 0) {
                    None => ConstantWeights::Quantized(constant.clone()),
                    // Float products take any.
                    Some(_) if !self.is_quantized(node, 0) => {
                        let reals = constant.reals();
                        ConstantWeights::Float(reals.iter().map(|&it| it as f32).collect())
                    }
                    Some(&zero) => return Err(Refusal::WeightZeroPoint { zero }),
                }
            }
            (None, Some(Elements::F32(values))) => ConstantWeights::Float(values.clone()),
            _ => return Err(not_constant(value)),
        };
        Ok((value.dims.clone(), weights))
    }

    /// Whether operand `operand` is an activation with a scale.
    fn is_quantized(&self, node: &SourceNode, operand: usize) -> bool {
        let activation = self.activation(node, operand);
        activation.is_ok_and(|it| self.graph.edge(it.edge).quantization.is_some())
    }

    /// For each of `channels` output channels, the scale of the sums of products of `input` with
    /// `weights`; 0 where one of them is float.
    pub(super) fn sum_scales(&self, input: EdgeId, weights: &Weights, channels: usize) -> Vec<f64> {
        match (self.graph.edge(input).quantization, weights) {
            (Some(input), Weights::Quantized { scales, .. }) => {
                let input = f64::from(input.scale);
                scales.iter().map(|&it| input * f64::from(it)).collect()
            }
            _ => vec![0.0; channels],
        }
    }

    /// Operand `operand` as one real bias for sums of each of these scales; zeros when it is left
    /// out. Integers in the scale of the sums come out of it exactly, however large they are.
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
            (Some(Binding::Quantized(constant)), _) => constant.reals_by(sum_scales),
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
            && let [value] = *constant.reals()
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
    if let [batch, _, _, ..] = *dims
        && batch > 1
    {
        return Err(Refusal::Batch { batch });
    }
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

/// A constant's elements as an edge holds them.
fn constant_of(value: &SourceValue, elements: &Elements) -> Result<Constant, Refusal> {
    let refused = || Refusal::Type {
        value: value.name.clone(),
        found: value.element.name(),
    };
    Ok(match elements {
        Elements::F32(values) => Constant::Real(values.clone()),
        Elements::I32(values) => Constant::Integer(values.clone()),
        Elements::I64(values) => {
            Constant::Integer(values.iter().map(|&it| saturated(it)).collect())
        }
        Elements::Bool(values) => Constant::Truth(values.clone()),
        Elements::I8(_) | Elements::U8(_) => return Err(refused()),
    })
}

/// An int64 as int32 holds it: models use the largest and smallest for "to the end".
fn saturated(value: i64) -> i32 {
    value.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

fn not_constant(value: &SourceValue) -> Refusal {
    Refusal::NotConstant {
        value: value.name.clone(),
    }
}
