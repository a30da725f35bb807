//! Where two executors part: the first step whose result they do not agree on.
//!
//! Executors of plans run ever longer beginnings of the plan, and every bit of a step's result
//! counts. tract runs the source model instead, in float: there the tensors of the source model
//! that steps make are compared, and a step counts where it is further off than rounding explains.

use crate::array::{Array, Sample};
use crate::executor::{self, Name};
use crate::model::Model;
use crate::reference::Reference;
use anyhow::{Context, Result};
use microtome_compiler::StepValue;
use microtome_plan::manifest::AXES_MAX;
use microtome_plan::{Element, Manifest, ModelType, Plan, PlanBuf, Port, Step, Task, encode};
use serde::Serialize;
use std::path::PathBuf;

/// Float results may be off by this share of the tensor's largest number.
const FLOAT_SHARE: f64 = 1e-3;
/// Quantized results may be off by this many steps of their scale: one, and what float64 loses.
const LSB: f64 = 1.001;

/// The first step whose result two executors do not agree on.
#[derive(Serialize)]
pub struct Difference {
    /// Name of the source model's node that it ends with.
    pub op: String,
    /// The step.
    pub index: usize,
    /// The executor that differs.
    pub backend: String,
    /// The largest difference of its result, in the source model's numbers where tract has part
    /// in it; none where the step's bits alone were compared.
    pub max_abs_diff: Option<f64>,
    /// The same in steps of the result's scale, where it is quantized.
    pub max_lsb: Option<f64>,
    /// Whether rounding alone explains it: then no step is further off.
    pub within_tolerance: bool,
}

/// What is run to find where executors part.
pub struct Search<'a> {
    /// The model.
    pub model: &'a Model,
    /// The samples of which one or more differ.
    pub samples: &'a [Sample],
    /// The image of boards, if the user gave one.
    pub firmware: Option<PathBuf>,
}

impl Search<'_> {
    /// The first step on which `other` does not agree with `base`. Their outputs differ.
    pub fn first_difference(&self, base: Name, other: Name) -> Result<Option<Difference>> {
        match (base, other) {
            (Name::Tract, Name::Tract) => Ok(None),
            (Name::Tract, executor) => self.off_tract(executor, other),
            (executor, Name::Tract) => self.off_tract(executor, other),
            _ => self.between([base, other]),
        }
    }

    /// The first step whose result has other bits.
    fn between(&self, names: [Name; 2]) -> Result<Option<Difference>> {
        let plan = self.model.plan.plan();
        for (index, step) in plan.steps().enumerate() {
            let output = raw(&step).with_context(|| format!("step {index} has no plain result"))?;
            let beginning = beginning(&plan, index, output)?;
            if self.run(names[0], &beginning)? != self.run(names[1], &beginning)? {
                return Ok(Some(Difference {
                    op: step.name.to_owned(),
                    index,
                    backend: names[1].to_string(),
                    max_abs_diff: None,
                    max_lsb: None,
                    within_tolerance: false,
                }));
            }
        }
        Ok(None)
    }

    /// The first step of `executor` that is off tract's by more than rounding; if none is, the
    /// first that is off at all; if none is seen to be, the last one.
    fn off_tract(&self, executor: Name, other: Name) -> Result<Option<Difference>> {
        let source = self.model.source.as_ref();
        let source = source.context("tract runs model files, not plans: give it one")?;
        let values = &source.report.values;
        let names: Vec<&str> = values.iter().map(|value| &*value.name).collect();
        let reference = Reference::showing(self.model, &names)?;
        let wanted = reference.run(self.samples)?.outputs;
        let plan = self.model.plan.plan();
        let mut small = None;
        for value in values.iter().filter(|value| value.dims.len() <= AXES_MAX) {
            let wanted = wanted.iter().find(|(name, _)| *name == value.name);
            let Some((_, wanted)) = wanted else { continue };
            let Some(step) = plan.steps().nth(value.step) else {
                continue;
            };
            let Some(port) = port(&step, value) else {
                continue;
            };
            let element = port.element;
            let found = self.run(executor, &beginning(&plan, value.step, port)?)?;
            let Some(off) = off(&found, wanted, value, element) else {
                continue;
            };
            let difference = Difference {
                op: step.name.to_owned(),
                index: value.step,
                backend: other.to_string(),
                max_abs_diff: Some(off.largest),
                max_lsb: off.lsb,
                within_tolerance: off.is_rounding,
            };
            if !off.is_rounding {
                return Ok(Some(difference));
            }
            small.get_or_insert(difference);
        }
        let last = plan.steps().enumerate().last();
        let last = last.map(|(index, step)| Difference {
            op: step.name.to_owned(),
            index,
            backend: other.to_string(),
            max_abs_diff: None,
            max_lsb: None,
            within_tolerance: true,
        });
        Ok(small.or(last))
    }

    /// The only output of `plan` on the executor called `name`.
    fn run(&self, name: Name, plan: &Model) -> Result<Array> {
        let ran = executor::run(name, plan, self.samples, self.firmware.clone())?;
        let output = ran.outputs.into_iter().next();
        Ok(output.context("the plan's beginning has no output")?.1)
    }
}

/// How far a result is off.
struct Off {
    largest: f64,
    lsb: Option<f64>,
    is_rounding: bool,
}

/// How far `found` is off `wanted`; `None` where both are the same, or not of one length.
fn off(found: &Array, wanted: &Array, value: &StepValue, element: Element) -> Option<Off> {
    let (found, wanted) = (found.to_f64s(), wanted.to_f64s());
    if found.len() != wanted.len() {
        return None;
    }
    let pairs = || found.iter().zip(&wanted);
    // Not a number is no difference where both have it, and an endless one where one has.
    let distance = |(a, b): (&f64, &f64)| match (a == b, (a - b).abs()) {
        (true, _) => 0.0,
        (_, far) if far.is_nan() && a.is_nan() != b.is_nan() => f64::INFINITY,
        (_, far) if far.is_nan() => 0.0,
        (_, far) => far,
    };
    let largest = pairs().map(distance).fold(0.0, f64::max);
    if largest == 0.0 {
        return None;
    }
    let lsb = match (element, value.model_type) {
        (Element::I8, ModelType::F32) => Some(largest / f64::from(value.scale)),
        (Element::I8, ModelType::I8 | ModelType::U8) => Some(largest),
        _ => None,
    };
    let magnitude = wanted.iter().map(|it| it.abs()).filter(|it| it.is_finite());
    let magnitude = magnitude.fold(0.0, f64::max);
    let is_rounding = match (lsb, element) {
        (Some(lsb), _) => lsb <= LSB,
        (None, Element::F32) => largest <= FLOAT_SHARE * magnitude,
        (None, _) => false,
    };
    Some(Off {
        largest,
        lsb,
        is_rounding,
    })
}

/// The port of a step's result as a tensor of the source model.
fn port<'a>(step: &Step<'a>, value: &StepValue) -> Option<Port<'a>> {
    let extents = step.op.operator().outputs();
    Some(Port {
        name: step.name,
        at: *step.outputs.get(value.output)?,
        dims: value.dims.iter().copied().collect(),
        order: value.order.iter().map(|&axis| axis as u8).collect(),
        model_type: value.model_type,
        element: extents.get(value.output)?.element,
        scale: value.scale,
        zero: value.zero,
    })
}

/// The port of a step's first result as its elements lie in the arena.
fn raw<'a>(step: &Step<'a>) -> Option<Port<'a>> {
    let extent = *step.op.operator().outputs().first()?;
    let model_type = match extent.element {
        Element::I8 => ModelType::I8,
        Element::I32 => ModelType::I32,
        Element::F32 => ModelType::F32,
        Element::I16 => return None,
    };
    Some(Port {
        name: step.name,
        at: *step.outputs.first()?,
        dims: [extent.len].into_iter().collect(),
        order: [0].into_iter().collect(),
        model_type,
        element: extent.element,
        scale: step.scale,
        zero: 0,
    })
}

/// The plan up to and with step `last`, with that step's `output` as its only one.
fn beginning(plan: &Plan<'_>, last: usize, output: Port<'_>) -> Result<Model> {
    let steps: Vec<_> = plan.steps().take(last + 1).collect();
    let manifest = Manifest {
        steps: steps.len(),
        outputs: [output].into_iter().collect(),
        task: Task::Raw,
        cascade: None,
        ..plan.manifest().clone()
    };
    Ok(Model {
        plan: PlanBuf::new(&encode(&manifest, &steps, plan.constants()))?,
        source: None,
    })
}
