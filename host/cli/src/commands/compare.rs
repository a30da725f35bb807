//! `microtome compare`: one model on several executors, output by output and, where they differ,
//! step by step ([`crate::deviation`]).

use crate::array::Array;
use crate::commands::run::samples;
use crate::deviation::{Difference, Search};
use crate::executor::{self, Name, Ran};
use crate::model::Model;
use crate::report::{self, grouped};
use anyhow::{Result, ensure};
use microtome_plan::{Element, ModelType};
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
    outputs: Vec<Output>,
}

/// One output of one executor, compared with the first executor's.
#[derive(Serialize)]
struct Output {
    backend: String,
    output: String,
    max_abs_diff: f64,
    /// The same in steps of the output's scale, where it is quantized.
    max_lsb: Option<f64>,
    values: usize,
    values_that_differ: usize,
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
    let mut outputs = Vec::new();
    let mut unequal = None;
    for name in &args.backends[1..] {
        let compared = compare(&model, *name, &first, &on(name)?)?;
        if compared.iter().any(|output| output.values_that_differ > 0) {
            unequal.get_or_insert(*name);
        }
        outputs.extend(compared);
    }
    let search = Search {
        model: &model,
        samples: &samples,
        firmware: args.firmware.clone(),
    };
    let first_difference = match unequal {
        Some(name) => search.first_difference(args.backends[0], name)?,
        None => None,
    };
    let largest = outputs.iter().map(|output| output.max_abs_diff);
    let result = Json {
        backends: args.backends.iter().map(Name::to_string).collect(),
        equal: unequal.is_none(),
        max_abs_diff: largest.fold(0.0, f64::max),
        first_difference,
        outputs,
    };
    if json {
        return report::json(&result);
    }
    println!(
        "compared with {}, {} samples",
        args.backends[0],
        samples.len()
    );
    print(&result);
    Ok(())
}

fn print(result: &Json) {
    let heads = [
        "executor",
        "output",
        "largest difference",
        "LSB",
        "values that differ",
        "of",
    ];
    let mut table = report::table(heads, 2);
    let lsb = |lsb: Option<f64>| lsb.map_or_else(|| "—".to_owned(), |lsb| format!("{lsb:.2}"));
    for output in &result.outputs {
        table.add_row([
            output.backend.clone(),
            output.output.clone(),
            output.max_abs_diff.to_string(),
            lsb(output.max_lsb),
            grouped(output.values_that_differ),
            grouped(output.values),
        ]);
    }
    println!("{table}");
    if let Some(first) = &result.first_difference {
        let so_far = match (first.max_abs_diff, first.max_lsb) {
            (_, Some(lsb)) => format!(", by {lsb:.2} LSB"),
            (Some(off), None) => format!(", by {off}"),
            (None, None) => String::new(),
        };
        let rounding = if first.within_tolerance {
            "; no step is off by more than rounding"
        } else {
            ""
        };
        let Difference { index, op, .. } = first;
        println!("the first step that differs is {index}, {op}{so_far}{rounding}");
    }
}

/// Each output of `other`, the executor called `name`, compared with that of `first`.
fn compare(model: &Model, name: Name, first: &Ran, other: &Ran) -> Result<Vec<Output>> {
    let plan = model.plan.plan();
    let mut compared = Vec::new();
    let pairs = first.outputs.iter().zip(&other.outputs);
    for (port, ((output, a), (_, b))) in plan.manifest().outputs.iter().zip(pairs) {
        let (largest, count) = difference(a, b)?;
        let max_lsb = match (port.element, port.model_type) {
            (Element::I8, ModelType::F32) => Some(largest / f64::from(port.scale)),
            (Element::I8, ModelType::I8 | ModelType::U8) => Some(largest),
            _ => None,
        };
        compared.push(Output {
            backend: name.to_string(),
            output: output.clone(),
            max_abs_diff: largest,
            max_lsb,
            values: a.shape().iter().product(),
            values_that_differ: count,
        });
    }
    Ok(compared)
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
