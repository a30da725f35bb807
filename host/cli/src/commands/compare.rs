//! `microtome compare`: one model on several executors, output by output and, where they differ,
//! step by step.

use crate::array::{Array, Sample};
use crate::commands::run::samples;
use crate::executor::{self, Name};
use crate::model::Model;
use crate::report;
use anyhow::{Result, bail, ensure};
use microtome_plan::{Element, Manifest, ModelType, PlanBuf, Port, Task, encode};
use serde::Serialize;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// A model file (.onnx, .tflite) or a plan (.mtp)
    model: PathBuf,
    /// Samples, as for `run`
    #[arg(long)]
    input: PathBuf,
    /// Executors, the first being the one that the others are compared with
    #[arg(long, value_delimiter = ',', default_value = "cpu,gpu")]
    backends: Vec<Name>,
    /// The board's image, instead of one that is built from the checkout
    #[arg(long)]
    firmware: Option<PathBuf>,
}

#[derive(Serialize)]
struct Json {
    backends: Vec<String>,
    equal: bool,
    max_abs_diff: f64,
    first_difference: Option<Difference>,
}

/// The first step whose output two executors do not agree on.
#[derive(Serialize)]
struct Difference {
    op: String,
    index: usize,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    ensure!(
        args.backends.len() >= 2,
        "give --backends two executors or more, with commas"
    );
    let model = Model::load(&args.model)?;
    let samples = samples(&model, &args.input)?;
    let on = |name: &Name| executor::run(*name, &model, &samples, args.firmware.clone());
    let first = on(&args.backends[0])?;
    let heads = [
        "executor",
        "output",
        "largest difference",
        "values that differ",
    ];
    let mut table = report::table(heads, 2);
    let mut max_abs_diff = 0.0_f64;
    let mut unequal = None;
    for name in &args.backends[1..] {
        let other = on(name)?;
        for ((output, a), (_, b)) in first.outputs.iter().zip(&other.outputs) {
            let (largest, count) = difference(a, b)?;
            table.add_row([
                &name.to_string(),
                output,
                &largest.to_string(),
                &count.to_string(),
            ]);
            max_abs_diff = max_abs_diff.max(largest);
            if count > 0 {
                unequal.get_or_insert(*name);
            }
        }
    }
    let first_difference = match unequal {
        Some(name) => first_difference(&model, &samples, [args.backends[0], name], args)?,
        None => None,
    };
    if json {
        return report::json(&Json {
            backends: args.backends.iter().map(Name::to_string).collect(),
            equal: unequal.is_none(),
            max_abs_diff,
            first_difference,
        });
    }
    println!(
        "compared with {}, {} samples",
        args.backends[0],
        samples.len()
    );
    println!("{table}");
    if let Some(Difference { op, index }) = first_difference {
        println!("the first step that differs is {index}, {op}");
    }
    Ok(())
}

/// The largest difference of two outputs, and how many values differ.
fn difference(a: &Array, b: &Array) -> Result<(f64, usize)> {
    ensure!(
        a.shape() == b.shape(),
        "outputs have shapes {:?} and {:?}",
        a.shape(),
        b.shape()
    );
    let (a, b) = (a.to_f64s(), b.to_f64s());
    let differences = a
        .iter()
        .zip(&b)
        .map(|(a, b)| (a - b).abs())
        .filter(|&d| d != 0.0);
    Ok(differences.fold((0.0, 0), |(largest, count), d| (d.max(largest), count + 1)))
}

/// Runs ever longer beginnings of the plan on both executors. tract runs no plan, so there is no
/// telling where it departs.
fn first_difference(
    model: &Model,
    samples: &[Sample],
    names: [Name; 2],
    args: &Args,
) -> Result<Option<Difference>> {
    if names.iter().any(|name| matches!(name, Name::Tract)) {
        return Ok(None);
    }
    let plan = model.plan.plan();
    for (index, step) in plan.steps().enumerate() {
        let beginning = Model {
            plan: beginning(&model.plan, index)?,
            source: None,
        };
        let on = |name| executor::run(name, &beginning, samples, args.firmware.clone());
        if on(names[0])?.outputs != on(names[1])?.outputs {
            return Ok(Some(Difference {
                op: step.name.to_owned(),
                index,
            }));
        }
    }
    Ok(None)
}

/// The plan up to and with step `last`, whose first result becomes the only output.
fn beginning(whole: &PlanBuf, last: usize) -> Result<PlanBuf> {
    let plan = whole.plan();
    let steps: Vec<_> = plan.steps().take(last + 1).collect();
    let step = &steps[last];
    let extents = step.op.operator().outputs();
    let (Some(&at), Some(extent)) = (step.outputs.first(), extents.first()) else {
        bail!("step {last} has no result");
    };
    let model_type = match extent.element {
        Element::I8 => ModelType::I8,
        Element::I32 => ModelType::I32,
        Element::F32 => ModelType::F32,
        Element::I16 => bail!("step {last} has a result of int16"),
    };
    let output = Port {
        name: step.name,
        at,
        dims: [extent.len].into_iter().collect(),
        order: [0].into_iter().collect(),
        model_type,
        element: extent.element,
        scale: step.scale,
        zero: 0,
    };
    let manifest = Manifest {
        steps: steps.len(),
        outputs: [output].into_iter().collect(),
        task: Task::Raw,
        cascade: None,
        ..plan.manifest().clone()
    };
    Ok(PlanBuf::new(&encode(&manifest, &steps, plan.constants()))?)
}
