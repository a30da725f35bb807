//! tract itself: the float reference, and the way to run an operator that has no lowering.
//!
//! What tract is known to compute wrongly is refused ([`faults`](super::faults)), and a panic of
//! tract is an error.

use super::by_value::{Choice, fixed, may_help};
use super::onnx::{File, Sizes, analyse, guarded, parse};
use super::{extremum, faults, format_of, quantizer};
use crate::error::{CompileError, Format, Refusal};
use crate::tensor::{Tensor, Values, each};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::{self, GraphProto, ModelProto, NodeProto, ValueInfoProto};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::bail;

/// The domains whose operators tract knows.
const DOMAINS: &[&str] = &["", "ai.onnx", "ai.onnx.ml", "com.microsoft"];

/// A model that tract runs in float, quantizers and all.
#[derive(Clone, Debug)]
pub struct TractModel {
    form: Form,
    inputs: Vec<TractInput>,
    output_names: Vec<String>,
}

#[derive(Clone, Debug)]
enum Form {
    /// Any values will do.
    Ready(Arc<TypedRunnableModel>),
    /// tract has to know the values of some inputs.
    ByValue(Arc<File>),
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
    /// Whether its elements are floats.
    pub is_float: bool,
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
    /// When the model is not ONNX, when tract does not read it, does not know an operator, or would
    /// compute it wrongly. Where that depends on the values of inputs, [`Self::run`] says so.
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
        let mut file = guarded(|| parse(bytes, Sizes::Any, &[]))?;
        file.proto.graph.as_mut().map(edit);
        let registered = tract_onnx::onnx().op_register.0;
        // tract itself looks at names alone, whatever their domain.
        let knows = |node: &NodeProto| {
            DOMAINS.contains(&&*node.domain) && registered.contains_key(&node.op_type)
        };
        file.require(knows, Refusal::OperatorUnknown)?;
        faults::check_attributes(&file.proto)?;
        let inputs = inputs(&file.proto);
        let outputs = file.proto.graph.iter().flat_map(|graph| &graph.output);
        let output_names = outputs.map(|output| output.name.clone()).collect();
        let form = match runnable(&file) {
            Ok(runnable) => Form::Ready(runnable),
            Err(_) if may_help(&inputs) => Form::ByValue(Arc::new(file)),
            Err(error) => return Err(error),
        };
        Ok(Self {
            form,
            inputs,
            output_names,
        })
    }

    /// The inputs, in the model's order.
    pub fn inputs(&self) -> &[TractInput] {
        &self.inputs
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
        if inputs.len() != self.inputs.len() {
            let reason = format!("it has {} inputs", self.inputs.len());
            return Err(TractError { reason });
        }
        match &self.form {
            Form::Ready(runnable) => run(runnable, inputs.iter()),
            Form::ByValue(file) => self.run_by_value(file, inputs),
        }
    }

    fn run_by_value(&self, file: &File, inputs: &[Tensor]) -> Result<Vec<Tensor>, TractError> {
        let names = self.inputs.iter().map(|input| &*input.name);
        let mut result = Err(TractError {
            reason: "no input is small enough to be a constant".into(),
        });
        for choice in Choice::EACH {
            let fixed = file.with(fixed(&file.proto, names.clone().zip(inputs), choice));
            let rest = inputs.iter().enumerate();
            let rest = rest.filter(|&(index, input)| !choice.takes(index, input));
            let rest = rest.map(|(_, input)| input);
            result = match runnable(&fixed) {
                Ok(runnable) => run(&runnable, rest),
                Err(CompileError::Tract { reason }) => Err(TractError { reason }),
                Err(error) => Err(TractError {
                    reason: error.to_string(),
                }),
            };
            if result.is_ok() {
                break;
            }
        }
        result
    }

    /// Runs the model on float tensors: an input or output of another type is converted from or
    /// to float.
    ///
    /// # Errors
    /// As [`Self::run`]; and when tract has to know the values of inputs.
    pub fn run_float(&self, inputs: &[(&[usize], &[f32])]) -> Result<Vec<FloatTensor>, TractError> {
        let Form::Ready(runnable) = &self.form else {
            let reason = "some of its inputs have to be constants".into();
            return Err(TractError { reason });
        };
        attempt(|| {
            let mut tensors = TVec::new();
            for (index, (dims, values)) in inputs.iter().enumerate() {
                let tensor = tract_onnx::prelude::Tensor::from_shape(dims, values)?;
                let wanted = runnable.model().input_fact(index)?.datum_type;
                tensors.push(tensor.cast_to_dt(wanted)?.into_owned().into_tvalue());
            }
            let outputs = runnable.run(tensors)?;
            let float = |output: TValue| {
                let cast = output.cast_to::<f32>()?;
                let view = cast.try_as_plain_ram()?;
                Ok((cast.shape().to_vec(), view.as_slice::<f32>()?.to_vec()))
            };
            outputs.into_iter().map(float).collect()
        })
    }
}

/// The inputs that are not constants.
fn inputs(proto: &ModelProto) -> Vec<TractInput> {
    let Some(graph) = &proto.graph else {
        return Vec::new();
    };
    let is_constant = |name: &String| graph.initializer.iter().any(|it| it.name == *name);
    let inputs = graph.input.iter().filter(|input| !is_constant(&input.name));
    let size = |dim: &pb::tensor_shape_proto::Dimension| match dim.value {
        Some(Dimension::DimValue(size)) => size.try_into().ok(),
        _ => None,
    };
    let describe = |input: &pb::ValueInfoProto| {
        let value = input.r#type.as_ref().and_then(|ty| ty.value.as_ref());
        let tensor = value.map(|pb::type_proto::Value::TensorType(tensor)| tensor);
        let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
        let data_type = tensor.and_then(|it| DataType::try_from(it.elem_type).ok());
        TractInput {
            name: input.name.clone(),
            dims: shape.map_or(Vec::new(), |shape| shape.dim.iter().map(size).collect()),
            is_float: matches!(
                data_type,
                Some(DataType::Float16 | DataType::Float | DataType::Double)
            ),
        }
    };
    inputs.map(describe).collect()
}

/// The model ready to run, if tract takes it and would compute it rightly.
fn runnable(file: &File) -> Result<Arc<TypedRunnableModel>, CompileError> {
    let runnable = guarded(|| {
        let parsed = analyse(file)?;
        faults::check_values(&file.proto, &parsed)?;
        let scales = quantizer::scales(&file.proto, &parsed);
        let repaired = |model: InferenceModel| {
            let mut typed = model.into_typed()?;
            extremum::put_in(&mut typed)?;
            quantizer::put_in(&mut typed, &scales);
            typed.into_runnable()
        };
        let refused = |error| CompileError::Tract {
            reason: format!("{error:#}"),
        };
        repaired(parsed.model).map_err(refused)
    });
    // The file was read before; what fails here is tract's.
    runnable.map_err(|error| match error {
        CompileError::Unreadable { reason, .. } => CompileError::Tract { reason },
        other => other,
    })
}

fn run<'a>(
    runnable: &Arc<TypedRunnableModel>,
    inputs: impl Iterator<Item = &'a Tensor>,
) -> Result<Vec<Tensor>, TractError> {
    attempt(|| {
        let tensors = inputs.map(|input| Ok(to_tract(input)?.into_tvalue()));
        let outputs = runnable.run(tensors.collect::<TractResult<_>>()?)?;
        outputs
            .into_iter()
            .map(|output| from_tract(&output))
            .collect()
    })
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
