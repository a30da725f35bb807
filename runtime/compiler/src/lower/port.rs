//! Inputs and outputs of the model.

use super::Lowering;
use super::operand::{Activation, Binding, Stage};
use crate::error::{CompileError, Refusal};
use crate::graph::{Kind, Layout, Op, Port};
use crate::import::source::{Attributes, Element, SourceModel, SourceNode, ValueId};
use microtome_plan::ModelType;
use microtome_plan::manifest::{AXES_MAX, PORTS_MAX};
use std::collections::HashSet;

impl Lowering<'_> {
    /// Makes an edge for each input.
    pub(super) fn bind_inputs(&mut self) -> Result<(), CompileError> {
        for &id in &self.source.inputs {
            let value = self.source.value(id);
            let port = self.input_port(id).map_err(|refusal| CompileError::Port {
                port: value.name.clone(),
                refusal,
            })?;
            let activation = Activation {
                edge: port.edge,
                layout: port.layout.clone(),
                stage: if matches!(port.model_type, ModelType::I8 | ModelType::U8) {
                    Stage::Quantized
                } else {
                    Stage::Real
                },
            };
            self.bind(id, activation);
            self.graph.inputs.push(port);
        }
        Ok(())
    }

    /// Finds the edge of each output.
    pub(super) fn bind_outputs(&mut self) -> Result<(), CompileError> {
        for &id in &self.source.outputs {
            let value = self.source.value(id);
            let port = self.output_port(id).map_err(|refusal| CompileError::Port {
                port: value.name.clone(),
                refusal,
            })?;
            self.graph.outputs.push(port);
        }
        Ok(())
    }

    fn input_port(&mut self, id: ValueId) -> Result<Port, Refusal> {
        let layout = if is_image(self.source, id) {
            Layout::channels_last(&self.source.value(id).dims)
        } else {
            Layout::row_major(&self.source.value(id).dims)
        };
        within("inputs", self.graph.inputs.len() + 1, PORTS_MAX)?;
        self.port(id, layout, None)
    }

    /// A constant is copied to where outputs are; so is what no port can have the order of.
    fn output_port(&mut self, id: ValueId) -> Result<Port, Refusal> {
        let value = self.source.value(id);
        within("outputs", self.graph.outputs.len() + 1, PORTS_MAX)?;
        let copier = SourceNode {
            name: value.name.clone(),
            op: "Identity".into(),
            inputs: vec![Some(id)],
            outputs: Vec::new(),
            attributes: Attributes::default(),
        };
        let activation = match self.bindings[id.0].clone() {
            Some(Binding::Activation(activation)) => activation,
            _ => self.operand(&copier, 0)?,
        };
        self.inherit_quantization(&activation);
        let row_major = Layout::row_major(&value.dims);
        let activation = if self.graph.edge(activation.edge).constant.is_some() {
            self.copied(&copier, &activation, &activation.layout)?
        } else {
            activation
        };
        let activation = match activation.layout.on(&value.dims) {
            Some(layout) => Activation {
                layout,
                ..activation
            },
            None => self.laid_out(&copier, activation, &row_major)?,
        };
        let is_byte = matches!(value.element, Element::I8 | Element::U8);
        if is_byte && self.graph.edge(activation.edge).quantization.is_none() {
            return Err(Refusal::Type {
                value: value.name.clone(),
                found: value.element.name(),
            });
        }
        let layout = activation.layout.clone();
        self.port(id, layout, Some(&activation))
    }

    /// A clamp that no quantizer follows keeps its input's quantization.
    fn inherit_quantization(&mut self, activation: &Activation) {
        let edge = self.graph.edge(activation.edge);
        if edge.quantization.is_none()
            && let Some(producer) = edge.producer
            && let Op::Requantize(_) = self.graph.nodes[producer.0].op
        {
            let input = self.graph.nodes[producer.0].inputs[0];
            self.graph.edge_mut(activation.edge).quantization = self.graph.edge(input).quantization;
        }
    }

    fn port(
        &mut self,
        id: ValueId,
        layout: Layout,
        activation: Option<&Activation>,
    ) -> Result<Port, Refusal> {
        let value = self.source.value(id);
        within("axes", layout.dims.len(), AXES_MAX)?;
        let (model_type, kind) = match value.element {
            Element::F32 => (ModelType::F32, Kind::Real),
            Element::I8 => (ModelType::I8, Kind::Real),
            Element::U8 => (ModelType::U8, Kind::Real),
            Element::I32 => (ModelType::I32, Kind::Integer),
            Element::I64 => (ModelType::I64, Kind::Integer),
            Element::Bool => (ModelType::Bool, Kind::Truth),
            Element::Other => {
                return Err(Refusal::Type {
                    value: value.name.clone(),
                    found: value.element.name(),
                });
            }
        };
        let edge = match activation {
            Some(activation) => activation.edge,
            None => self.graph.add_edge(&value.name, kind, layout.len()),
        };
        Ok(Port {
            name: value.name.clone(),
            edge,
            layout,
            model_type,
        })
    }
}

fn within(what: &'static str, found: usize, most: usize) -> Result<(), Refusal> {
    if found <= most {
        Ok(())
    } else {
        Err(Refusal::TooMany { what, found, most })
    }
}

/// Whether the first operator behind `input` that cares reads `[1, C, …]`, so that channels come
/// last in memory; any other input keeps the model's own order.
fn is_image(source: &SourceModel, input: ValueId) -> bool {
    let mut seen = HashSet::from([input]);
    let mut front = vec![input];
    while let Some(value) = front.pop() {
        let users = source.nodes.iter();
        for node in users.filter(|node| node.inputs.contains(&Some(value))) {
            match &*node.op {
                "Conv"
                | "ConvTranspose"
                | "BatchNormalization"
                | "InstanceNormalization"
                | "GroupNormalization"
                | "LRN"
                | "MaxPool"
                | "AveragePool"
                | "LpPool"
                | "GlobalAveragePool"
                | "GlobalMaxPool"
                | "ReduceMean"
                | "Pad"
                | "Resize"
                | "Upsample" => return true,
                "Softmax" => return node.attributes.int("axis", -1) == Ok(1),
                "QuantizeLinear" | "DequantizeLinear" | "Identity" | "Dropout" | "Relu"
                | "Clip" | "Add" => {
                    let outputs = node.outputs.iter().flatten();
                    front.extend(outputs.filter(|&&output| seen.insert(output)));
                }
                _ => {}
            }
        }
    }
    false
}
