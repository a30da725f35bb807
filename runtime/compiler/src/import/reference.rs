//! tract itself: the float reference, and the way to run an operator that has no lowering.
//!
//! What tract is known to compute wrongly is refused ([`faults`](super::faults)), and a panic of
//! tract is an error.

use super::faults;
use super::onnx::{Sizes, guarded, parse};
use crate::error::CompileError;
use crate::tensor::{Tensor, Values, each};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tract_onnx::pb;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::bail;

/// A model that tract runs in float, quantizers and all.
#[derive(Clone, Debug)]
pub struct TractModel {
    runnable: Arc<TypedRunnableModel>,
    output_names: Vec<String>,
}

/// A float tensor: the sizes of its axes, batch (1) included, and its elements, row major.
pub type FloatTensor = (Vec<usize>, Vec<f32>);

/// An input of a model that tract runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TractInput {
    /// The model's name of it.
    pub name: String,
    /// The sizes of its axes. One that is not fixed is `None`.
    pub dims: Vec<Option<usize>>,
}

/// Why tract did not run a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tract cannot run the model: {reason}")]
pub struct TractError {
    /// What tract says.
    pub reason: String,
}

impl TractModel {
    /// Loads the ONNX model in `bytes`; a batch that is free is 1.
    ///
    /// The model is typed and not decluttered: tract 0.23 declutters DQ → Softmax → Q into a table
    /// of wrong values.
    ///
    /// # Errors
    /// When tract does not read the model, does not know an operator, or would compute it wrongly.
    pub fn load(bytes: &[u8]) -> Result<Self, CompileError> {
        guarded(|| {
            let proto = parse(bytes, Sizes::Any)?;
            faults::check(&proto)?;
            let outputs = proto.graph.iter().flat_map(|graph| &graph.output);
            let output_names = outputs.map(|output| output.name.clone()).collect();
            let runnable = runnable(&proto).map_err(|error| CompileError::Unreadable {
                reason: format!("{error:#}"),
            })?;
            Ok(Self {
                runnable,
                output_names,
            })
        })
    }

    /// The inputs, in the model's order.
    pub fn inputs(&self) -> Vec<TractInput> {
        let model = self.runnable.model();
        let describe = |outlet: &OutletId| {
            let fact = model.outlet_fact(*outlet).ok()?;
            let size = |dim: &TDim| dim.as_i64().and_then(|size| size.try_into().ok());
            Some(TractInput {
                name: model.nodes()[outlet.node].name.clone(),
                dims: fact.shape.iter().map(size).collect(),
            })
        };
        let outlets = model.input_outlets().unwrap_or_default();
        outlets.iter().filter_map(describe).collect()
    }

    /// Names of the outputs, in the model's order.
    pub fn output_names(&self) -> &[String] {
        &self.output_names
    }

    /// Runs the model on tensors of its own types; inputs and outputs are in the model's order.
    ///
    /// # Errors
    /// When the inputs do not fit the model, or tract fails to run it.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, TractError> {
        attempt(|| {
            let tensors = inputs.iter().map(|input| Ok(to_tract(input)?.into_tvalue()));
            let outputs = self.runnable.run(tensors.collect::<TractResult<_>>()?)?;
            outputs.into_iter().map(|output| from_tract(&output)).collect()
        })
    }

    /// Runs the model on float tensors: an input or output of another type is converted from or
    /// to float.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_float(&self, inputs: &[(&[usize], &[f32])]) -> Result<Vec<FloatTensor>, TractError> {
        attempt(|| {
            let mut tensors = TVec::new();
            for (index, (dims, values)) in inputs.iter().enumerate() {
                let tensor = tract_onnx::prelude::Tensor::from_shape(dims, values)?;
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
        })
    }
}

fn runnable(proto: &pb::ModelProto) -> TractResult<Arc<TypedRunnableModel>> {
    tract_onnx::onnx()
        .with_ignore_value_info(true)
        .with_ignore_output_types(true)
        .model_for_proto_model(proto)?
        .into_typed()?
        .into_runnable()
}

/// Runs `job`, and makes an error of a panic. What it worked on is dropped.
fn attempt<T>(job: impl FnOnce() -> TractResult<T>) -> Result<T, TractError> {
    let reason = match catch_unwind(AssertUnwindSafe(job)) {
        Ok(Ok(result)) => return Ok(result),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "it gave up; check the inputs against the model".into(),
    };
    Err(TractError { reason })
}

fn to_tract(tensor: &Tensor) -> TractResult<tract_onnx::prelude::Tensor> {
    each!(tensor.values(), elements => {
        tract_onnx::prelude::Tensor::from_shape(tensor.dims(), elements)
    })
}

/// The tensor as ONNX has it: tract's own type of dimensions stands for int64.
fn from_tract(tensor: &tract_onnx::prelude::Tensor) -> TractResult<Tensor> {
    let tensor = match tensor.datum_type() {
        DatumType::TDim => tensor.cast_to::<i64>()?,
        other => tensor.cast_to_dt(other.unquantized())?,
    };
    let view = tensor.try_as_plain_ram()?;
    let values = match tensor.datum_type() {
        DatumType::Bool => Values::Bool(view.as_slice()?.to_vec()),
        DatumType::F16 => Values::F16(view.as_slice()?.to_vec()),
        DatumType::F32 => Values::F32(view.as_slice()?.to_vec()),
        DatumType::F64 => Values::F64(view.as_slice()?.to_vec()),
        DatumType::I8 => Values::I8(view.as_slice()?.to_vec()),
        DatumType::I16 => Values::I16(view.as_slice()?.to_vec()),
        DatumType::I32 => Values::I32(view.as_slice()?.to_vec()),
        DatumType::I64 => Values::I64(view.as_slice()?.to_vec()),
        DatumType::U8 => Values::U8(view.as_slice()?.to_vec()),
        DatumType::U16 => Values::U16(view.as_slice()?.to_vec()),
        DatumType::U32 => Values::U32(view.as_slice()?.to_vec()),
        DatumType::U64 => Values::U64(view.as_slice()?.to_vec()),
        other => bail!("an output has the type {other:?}"),
    };
    Ok(Tensor::new(tensor.shape().to_vec(), values)?)
}
