//! tract, in float: the reference, and the way to run a model that has no plan.

use crate::array::{Array, Sample};
use crate::executor::Ran;
use crate::model::{self, Model};
use anyhow::{Context, Result, bail, ensure};
use microtome_compiler::{TractInput, TractModel};
use ndarray::{ArrayD, Axis, IxDyn};
use std::path::Path;
use std::time::Instant;

/// A model that tract runs.
pub struct Reference {
    tract: TractModel,
    /// Names of its inputs, and the sizes of their axes.
    inputs: Vec<(String, Vec<usize>)>,
    /// Scale and zero point by which int8 samples become float, for each input, where the model
    /// was compiled.
    quantizations: Vec<(f32, i8)>,
}

impl Reference {
    /// Loads the model file at `path`, whether it can be compiled or not.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = model::read(path)?;
        let of = || path.display().to_string();
        ensure!(
            !model::is_plan(path) && !model::is_package(path),
            "{}: tract runs model files, not plans",
            of()
        );
        let compiled = Model::load(path).ok();
        Self::new(&bytes, compiled.as_ref()).with_context(of)
    }

    /// The reference for a model that was compiled here.
    pub fn of(model: &Model) -> Result<Self> {
        let source = model.source.as_ref();
        let source = source.context("tract runs model files, not plans: give it one")?;
        Self::new(&source.bytes, Some(model))
    }

    /// The reference for a model that was compiled here, with those of its tensors `values` as
    /// outputs that tract knows.
    pub fn showing(model: &Model, values: &[&str]) -> Result<Self> {
        let source = model.source.as_ref();
        let source = source.context("tract runs model files, not plans: give it one")?;
        let tract = TractModel::load_showing(&source.bytes, values)?;
        Self::with(tract, Some(model))
    }

    fn new(bytes: &[u8], compiled: Option<&Model>) -> Result<Self> {
        Self::with(TractModel::load(bytes)?, compiled)
    }

    fn with(tract: TractModel, compiled: Option<&Model>) -> Result<Self> {
        let mut inputs = Vec::new();
        for TractInput { name, dims, .. } in tract.inputs() {
            if let Some(axis) = dims.iter().position(Option::is_none) {
                bail!("axis {axis} of input '{name}' is not fixed: export it with a fixed size");
            }
            inputs.push((name.clone(), dims.iter().copied().flatten().collect()));
        }
        let quantizations = compiled.map(|model| {
            let plan = model.plan.plan();
            let ports = plan.manifest().inputs.iter();
            ports.map(|port| (port.scale, port.zero)).collect()
        });
        Ok(Self {
            tract,
            inputs,
            quantizations: quantizations.unwrap_or_default(),
        })
    }

    /// Names of the inputs, and the sizes of their axes.
    pub fn inputs(&self) -> &[(String, Vec<usize>)] {
        &self.inputs
    }

    /// Runs the samples one after another.
    pub fn run(&self, samples: &[Sample]) -> Result<Ran> {
        let mut batch: Vec<Vec<ArrayD<f32>>> = Vec::new();
        let begin = Instant::now();
        for sample in samples {
            let mut values = Vec::new();
            for (index, array) in sample.iter().enumerate() {
                values.push(self.floats(index, array)?);
            }
            let pairs = self.inputs.iter().zip(&values);
            let inputs: Vec<_> = pairs.map(|((_, dims), it)| (&dims[..], &it[..])).collect();
            let outputs = self.tract.run_float(&inputs)?;
            let arrays = outputs.into_iter().map(|(dims, values)| {
                let sample = dims.strip_prefix(&[1]).filter(|rest| !rest.is_empty());
                Ok(ArrayD::from_shape_vec(
                    IxDyn(sample.unwrap_or(&dims)),
                    values,
                )?)
            });
            batch.push(arrays.collect::<Result<_>>()?);
        }
        let latency_us = begin.elapsed().as_secs_f64() * 1e6 / samples.len() as f64;
        let names = self.tract.output_names().iter().enumerate();
        let outputs = names.map(|(index, name)| {
            let views: Vec<_> = batch.iter().map(|outputs| outputs[index].view()).collect();
            Ok((name.clone(), Array::F32(ndarray::stack(Axis(0), &views)?)))
        });
        Ok(Ran {
            outputs: outputs.collect::<Result<_>>()?,
            latency_us,
        })
    }

    fn floats(&self, input: usize, array: &Array) -> Result<Vec<f32>> {
        Ok(match (array, self.quantizations.get(input)) {
            (Array::I8(array), Some(&(scale, zero))) => {
                let real = |&value: &i8| scale * (i32::from(value) - i32::from(zero)) as f32;
                array.iter().map(real).collect()
            }
            (Array::I8(_), None) => bail!("int8 samples for a model without a scale: give floats"),
            (other, _) => other.to_f64s().iter().map(|&value| value as f32).collect(),
        })
    }
}
