//! `microtome explain`: which parts of an image a model's answer rests on, by masked copies (RISE).

use super::run::samples;
use crate::array::{self, Array};
use crate::executor::{self, Name};
use crate::model::Model;
use crate::report;
use anyhow::{Context, Result, bail};
use microtome_backend::CpuBackend;
use microtome_backend::rise::{self, Image, Rise, Score};
use microtome_gpu::{Gpu, GpuBackend, GpuOptions};
use microtome_plan::{Manifest, Task};
use ndarray::{ArrayD, IxDyn};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(clap::Args)]
pub struct Args {
    /// A model file (.onnx, .tflite) or a plan (.mtp)
    model: PathBuf,
    /// One sample: .npy, .npz, .png or .jpg, in the model's own layout
    #[arg(long)]
    input: PathBuf,
    /// What is explained: a class by its label, or an element of the first output by its index
    #[arg(long)]
    score: String,
    /// Masked copies; twice as many halve the variance
    #[arg(long, default_value_t = 4000)]
    masks: u32,
    /// Cells of a mask along rows and along columns
    #[arg(long, default_value_t = 8)]
    grid: usize,
    /// Probability that a cell is shown
    #[arg(long, default_value_t = 0.5)]
    keep: f32,
    /// The same seed gives the same masks
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// cpu or gpu
    #[arg(long, default_value = "cpu")]
    backend: Name,
    /// Where to write the saliency of every pixel (.npy, or .png from the least to the largest)
    #[arg(long)]
    output: Option<PathBuf>,
}

#[derive(Serialize)]
struct Json<'a> {
    model: String,
    backend: String,
    score: &'a str,
    masks: u32,
    seed: u32,
    /// Rows and columns of the map.
    shape: [usize; 2],
    /// Row and column of the largest saliency.
    peak: [usize; 2],
    largest: f32,
    smallest: f32,
    latency_us: f64,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let model = Model::load_for(&args.model, args.backend.target())?;
    let samples = samples(&model, &args.input)?;
    let [sample] = &executor::to_arena(&model, &samples)?[..] else {
        bail!(
            "{} holds {} samples: give one",
            args.input.display(),
            samples.len()
        );
    };
    let plan = model.plan.plan();
    let manifest = plan.manifest();
    let rise = Rise {
        masks: args.masks,
        grid: [args.grid; 2],
        keep: args.keep,
        seed: args.seed,
        score: score(manifest, &args.score)?,
    };
    let image = Image::of(manifest, &rise)?;
    let begun = Instant::now();
    let map = match args.backend {
        Name::Gpu => {
            let gpu = Gpu::open(&GpuOptions::from_env())?;
            GpuBackend::new(&gpu, model.plan.clone())?.rise(&sample[0], &rise)?
        }
        Name::Cpu => {
            let mut backend = CpuBackend::new(model.plan.clone());
            rise::explain(&mut backend, manifest, &sample[0], &rise)?
        }
        other => bail!("{other} does not explain: take cpu or gpu"),
    };
    let latency_us = begun.elapsed().as_secs_f64() * 1e6;
    if let Some(path) = &args.output {
        write(path, &map, &image)?;
    }
    let at = |better: fn(&f32, &f32) -> bool| {
        (1..map.len()).fold(0, |best, at| {
            if better(&map[at], &map[best]) {
                at
            } else {
                best
            }
        })
    };
    let (peak, low) = (at(|a, b| a > b), at(|a, b| a < b));
    let told = Json {
        model: model.name(),
        backend: args.backend.to_string(),
        score: &args.score,
        masks: args.masks,
        seed: args.seed,
        shape: [image.height, image.width],
        peak: [peak / image.width, peak % image.width],
        largest: map[peak],
        smallest: map[low],
        latency_us,
    };
    if json {
        return report::json(&told);
    }
    report::facts(&[
        ("model", told.model),
        ("backend", told.backend),
        ("score", args.score.clone()),
        ("masks", args.masks.to_string()),
        ("map", format!("{} × {} pixels", image.height, image.width)),
        (
            "largest",
            format!(
                "{:.4} at row {}, column {}",
                told.largest, told.peak[0], told.peak[1]
            ),
        ),
        ("smallest", format!("{:.4}", told.smallest)),
        ("time", format!("{:.2} s", latency_us / 1e6)),
    ]);
    Ok(())
}

/// The elements that `text` names: those of a class, or one.
fn score(manifest: &Manifest<'_>, text: &str) -> Result<Score> {
    let output = &manifest.outputs[0];
    if let Ok(first) = text.parse() {
        return Ok(Score {
            first,
            step: 1,
            count: 1,
        });
    }
    let labels = match &manifest.task {
        Task::Classify { labels } | Task::Grid { labels, .. } => labels,
        Task::Raw => bail!("the model has no classes: give --score the index of an output element"),
    };
    let names: Vec<&str> = labels.0.lines().collect();
    let class = names.iter().position(|name| *name == text);
    let class = class.with_context(|| {
        let known = names.join(", ");
        format!("there is no class {text}: give --score one of {known}, or an element's index")
    })?;
    Ok(Score {
        first: class,
        step: names.len(),
        count: output.len() / names.len().max(1),
    })
}

fn write(path: &Path, map: &[f32], image: &Image) -> Result<()> {
    if path.extension().is_some_and(|it| it == "png") {
        let low = map.iter().copied().fold(f32::INFINITY, f32::min);
        let high = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let range = (high - low).max(f32::MIN_POSITIVE);
        let grey = map
            .iter()
            .map(|value| ((value - low) / range * 255.0).round() as u8);
        let picture =
            image::GrayImage::from_raw(image.width as u32, image.height as u32, grey.collect());
        let picture = picture.context("a map has a value a pixel")?;
        return picture
            .save(path)
            .with_context(|| format!("cannot write {}", path.display()));
    }
    let dims = IxDyn(&[image.height, image.width]);
    let array = ArrayD::from_shape_vec(dims, map.to_vec())?;
    array::write(path, &[("saliency".to_owned(), Array::F32(array))])
}
