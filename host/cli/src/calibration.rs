//! The samples that `--calibrate` names: a file, or a folder of them.

use crate::array::{self, Array};
use anyhow::{Context, Result, bail, ensure};
use microtome_compiler::{Samples, Truth};
use microtome_plan::Plan;
use std::path::{Path, PathBuf};

/// Files that samples are read from.
const EXTENSIONS: [&str; 5] = ["npy", "npz", "png", "jpg", "jpeg"];
/// What an array of labels is called in a `.npz` file.
const LABELS: [&str; 2] = ["labels", "y"];

/// Reads the samples in the file or folder at `path` for the inputs of `plan`. Labels are read
/// where every file has an array of them.
pub fn read(path: &Path, plan: &Plan<'_>) -> Result<Samples> {
    let ports = plan.manifest().inputs.iter();
    let inputs: Vec<(String, Vec<usize>)> = ports
        .map(|port| (port.name.to_owned(), port.dims.to_vec()))
        .collect();
    let streams = plan.steps().any(|step| !step.kept().is_empty());
    let mut samples = Samples::default();
    let mut labels = Vec::new();
    for file in files(path)? {
        let read = array::read_samples(&file, &inputs, streams)?;
        let count = read.len();
        for sample in read {
            let elements = sample.iter().map(Array::to_f64s);
            samples.inputs.push(elements.collect());
        }
        if let Some(array) = array::read_named(&file, &LABELS)? {
            labels.push((array, count, file));
        }
    }
    let labelled: usize = labels.iter().map(|(_, count, _)| count).sum();
    if labelled == samples.inputs.len() {
        samples.truth = Some(truth(&labels)?);
    }
    Ok(samples)
}

/// The file itself, or those of the folder by name.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let context = || format!("cannot read the folder {}", path.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).with_context(context)? {
        let file = entry.with_context(context)?.path();
        let extension = file.extension().and_then(|it| it.to_str());
        let extension = extension.unwrap_or_default().to_ascii_lowercase();
        if EXTENSIONS.contains(&&*extension) {
            files.push(file);
        }
    }
    if files.is_empty() {
        let known = EXTENSIONS.join(", ");
        bail!("{}: there is no file of {known} in it", path.display());
    }
    files.sort();
    Ok(files)
}

/// The labels of all files: classes where they are whole numbers, else values.
fn truth(labels: &[(Array, usize, PathBuf)]) -> Result<Truth> {
    let mut rows = Vec::new();
    for (array, count, file) in labels {
        let values = array.to_f64s();
        let found = array.shape().first().copied().unwrap_or(1);
        ensure!(
            found == *count && !values.is_empty(),
            "{}: {found} labels for {count} samples",
            file.display()
        );
        rows.extend(values.chunks(values.len() / count).map(<[f64]>::to_vec));
    }
    let mut arrays = labels.iter().map(|(array, ..)| array);
    Ok(if arrays.all(|array| !matches!(array, Array::F32(_))) {
        let classes = |row: &Vec<f64>| row.iter().map(|&it| it as i64).collect();
        Truth::Classes(rows.iter().map(classes).collect())
    } else {
        Truth::Values(rows)
    })
}
