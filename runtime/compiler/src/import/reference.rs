//! tract itself: the float reference, and the way to run an operator that has no lowering.

use super::format_of;
use super::onnx::{guarded, parse};
use crate::error::{CompileError, Format, Refusal};
use std::collections::HashSet;
use std::sync::Arc;
use tract_onnx::pb::{GraphProto, NodeProto, ValueInfoProto};
use tract_onnx::prelude::*;

/// The domains whose operators tract knows.
const DOMAINS: &[&str] = &["", "ai.onnx", "ai.onnx.ml", "com.microsoft"];

/// A model that tract runs in float, quantizers and all.
#[derive(Clone, Debug)]
pub struct TractModel {
    runnable: Arc<TypedRunnableModel>,
    output_names: Vec<String>,
}

/// A float tensor: the sizes of its axes, batch (1) included, and its elements, row major.
pub type FloatTensor = (Vec<usize>, Vec<f32>);

/// Why tract did not run a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tract cannot run the model: {reason}")]
pub struct TractError {
    /// What tract says.
    pub reason: String,
}

impl TractModel {
    /// Loads the ONNX model in `bytes`, for a batch of 1.
    ///
    /// The model is typed and not decluttered: tract 0.23 declutters DQ → Softmax → Q into a table
    /// of wrong values.
    ///
    /// # Errors
    /// When the model is not ONNX, when tract does not read it, or does not know an operator.
    pub fn load(bytes: &[u8]) -> Result<Self, CompileError> {
        Self::load_edited(bytes, |_| ())
    }

    /// Loads the ONNX model in `bytes` as [`Self::load`] does, with those of `values` that its
    /// nodes make as its only outputs: to look inside.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_showing(bytes: &[u8], values: &[&str]) -> Result<Self, CompileError> {
        Self::load_edited(bytes, |graph| {
            let made = graph.node.iter().flat_map(|node| &node.output);
            let made: HashSet<&str> = made.map(|name| &**name).collect();
            let shown = values.iter().filter(|&&name| made.contains(name));
            let shown = shown.map(|&name| ValueInfoProto {
                name: name.into(),
                ..Default::default()
            });
            graph.output = shown.collect();
        })
    }

    fn load_edited(bytes: &[u8], edit: impl FnOnce(&mut GraphProto)) -> Result<Self, CompileError> {
        let format = format_of(bytes);
        if format != Format::Onnx {
            return Err(CompileError::TractFormat { format });
        }
        guarded(|| {
            let onnx = tract_onnx::onnx();
            let file = parse(bytes)?;
            // tract itself looks at names alone, whatever their domain.
            let knows = |node: &NodeProto| {
                DOMAINS.contains(&&*node.domain) && onnx.op_register.0.contains_key(&node.op_type)
            };
            file.require(knows, Refusal::OperatorUnknown)?;
            let mut proto = file.proto;
            proto.graph.as_mut().map(edit);
            let outputs = proto.graph.iter().flat_map(|graph| &graph.output);
            let output_names = outputs.map(|output| output.name.clone()).collect();
            let runnable = onnx
                .clone()
                .with_ignore_value_info(true)
                .with_ignore_output_types(true)
                .model_for_proto_model(&proto)
                .and_then(|model| model.into_typed())
                .and_then(|model| model.into_runnable())
                .map_err(|error| CompileError::Unreadable {
                    format: Format::Onnx,
                    reason: format!("{error:#}"),
                })?;
            Ok(Self {
                runnable,
                output_names,
            })
        })
    }

    /// Names of the inputs with the sizes of their axes, in the model's order. An axis that is not
    /// fixed, such as the batch, is 1.
    pub fn inputs(&self) -> Vec<(String, Vec<usize>)> {
        let model = self.runnable.model();
        let describe = |outlet: &OutletId| {
            let fact = model.outlet_fact(*outlet).ok()?;
            let size = |dim: &TDim| dim.as_i64().map_or(1, |size| size as usize);
            let name = model.nodes()[outlet.node].name.clone();
            Some((name, fact.shape.iter().map(size).collect()))
        };
        let outlets = model.input_outlets().unwrap_or_default();
        outlets.iter().filter_map(describe).collect()
    }

    /// Names of the outputs, in the model's order.
    pub fn output_names(&self) -> &[String] {
        &self.output_names
    }

    /// Runs the model; inputs and outputs are in the model's order. An input or output of another
    /// type is converted from or to float.
    ///
    /// # Errors
    /// When the inputs do not fit the model, or tract fails to run it.
    pub fn run(&self, inputs: &[(&[usize], &[f32])]) -> Result<Vec<FloatTensor>, TractError> {
        self.try_run(inputs).map_err(|error| TractError {
            reason: format!("{error:#}"),
        })
    }

    fn try_run(&self, inputs: &[(&[usize], &[f32])]) -> TractResult<Vec<FloatTensor>> {
        let mut tensors = TVec::new();
        for (index, (dims, values)) in inputs.iter().enumerate() {
            let tensor = Tensor::from_shape(dims, values)?;
            let wanted = self.runnable.model().input_fact(index)?.datum_type;
            tensors.push(tensor.cast_to_dt(wanted)?.into_owned().into_tvalue());
        }
        let outputs = self.runnable.run(tensors)?;
        let float = |output: TValue| {
            let cast = output.cast_to::<f32>()?;
            let view = cast.try_as_plain_ram()?;
            Ok((cast.shape().to_vec(), view.as_slice::<f32>()?.to_vec()))
        };
        outputs.into_iter().map(float).collect()
    }
}
