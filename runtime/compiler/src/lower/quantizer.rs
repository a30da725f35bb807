//! The parameters of `QuantizeLinear` and `DequantizeLinear`.

use super::Lowering;
use crate::error::Refusal;
use crate::graph::Quantization;
use crate::import::source::{Element, Elements, SourceNode, ValueId};

/// Scales and zero points: one, or one for each index of an axis.
pub(super) struct Quantizer {
    pub scales: Vec<f32>,
    /// Zero points of the int8 or int32 values; those of uint8 are already shifted by −128.
    pub zeros: Vec<i32>,
}

impl Quantizer {
    /// The quantization of an activation: one scale for all of it.
    pub fn per_tensor(&self, node: &SourceNode) -> Result<Quantization, Refusal> {
        match (&*self.scales, &*self.zeros) {
            (&[scale], &[zero]) => Ok(Quantization {
                scale,
                zero: zero as i8,
            }),
            _ => Err(Refusal::Attribute {
                attribute: "axis",
                value: format!("{:?} of an activation", node.attributes.int("axis", 1)?),
            }),
        }
    }
}

impl Lowering<'_> {
    /// The scale and zero point of `node`, whose integers are those of the value `integers`.
    pub(super) fn quantizer(
        &self,
        node: &SourceNode,
        integers: ValueId,
    ) -> Result<Quantizer, Refusal> {
        let id = self.input(node, 1)?;
        let Some(Elements::F32(scales)) = &self.source.value(id).constant else {
            return Err(Refusal::NotConstant {
                value: self.source.value(id).name.clone(),
            });
        };
        let usable = |scale: &f32| scale.is_finite() && *scale > 0.0;
        if let Some(&scale) = scales.iter().find(|scale| !usable(scale)) {
            return Err(Refusal::Scale { scale });
        }
        if scales.is_empty() {
            return Err(Refusal::OperandMissing { operand: 1 });
        }
        let zeros = self.zeros(node, integers)?;
        let zeros = zeros.unwrap_or_else(|| vec![self.origin(integers); scales.len()]);
        if zeros.len() != scales.len() {
            return Err(Refusal::Shape {
                found: vec![vec![scales.len()], vec![zeros.len()]],
            });
        }
        Ok(Quantizer {
            scales: scales.clone(),
            zeros,
        })
    }

    fn zeros(&self, node: &SourceNode, integers: ValueId) -> Result<Option<Vec<i32>>, Refusal> {
        let Some(id) = node.inputs.get(2).copied().flatten() else {
            return Ok(None);
        };
        let value = self.source.value(id);
        let zeros = match value.constant.as_ref() {
            Some(Elements::I8(zeros)) => zeros.iter().map(|&zero| zero.into()).collect(),
            Some(Elements::U8(zeros)) => zeros.iter().map(|&zero| i32::from(zero) - 128).collect(),
            Some(Elements::I32(zeros)) => zeros.clone(),
            Some(_) => {
                return Err(Refusal::Type {
                    value: value.name.clone(),
                    found: value.element.name(),
                });
            }
            None => {
                return Err(Refusal::NotConstant {
                    value: value.name.clone(),
                });
            }
        };
        if value.element == self.source.value(integers).element {
            Ok(Some(zeros))
        } else {
            Err(Refusal::Type {
                value: value.name.clone(),
                found: value.element.name(),
            })
        }
    }

    /// What 0 in the model's integers is in ours.
    fn origin(&self, integers: ValueId) -> i32 {
        match self.source.value(integers).element {
            Element::U8 => -128,
            _ => 0,
        }
    }
}
