//! How well outputs fit what they should be.

use super::error::CalibrationError;
use super::report::{Accuracy, Score};
use super::samples::Truth;
use crate::graph::Port;

/// The accuracy of both models' first outputs, in the arena's order, one a sample.
///
/// # Errors
/// When `truth` has not one entry a sample, or entries that do not fit the output.
pub(super) fn accuracy(
    truth: &Truth,
    port: &Port,
    float: &[Vec<Vec<f32>>],
    int8: &[Vec<Vec<f32>>],
) -> Result<Accuracy, CalibrationError> {
    let order = port.layout.model_indices();
    let score = |outputs: &[Vec<Vec<f32>>]| {
        let first = outputs.iter().map(|sample| model_order(&sample[0], &order));
        let first: Vec<Vec<f32>> = first.collect();
        match truth {
            Truth::Classes(classes) => right(classes, &first, port),
            Truth::Values(values) => rmse(values, &first, port),
        }
    };
    Ok(Accuracy {
        score: match truth {
            Truth::Classes(_) => Score::Accuracy,
            Truth::Values(_) => Score::Rmse,
        },
        float: score(float)?,
        int8: score(int8)?,
    })
}

fn model_order(values: &[f32], order: &[usize]) -> Vec<f32> {
    let mut model = vec![0.0; values.len()];
    for (&value, &at) in values.iter().zip(order) {
        model[at] = value;
    }
    model
}

/// The share of places at which the largest element along the axis of classes is the right one.
fn right(classes: &[Vec<i64>], outputs: &[Vec<f32>], port: &Port) -> Result<f64, CalibrationError> {
    let (mut right, mut all) = (0, 0);
    fits(classes, outputs, port)?;
    for (classes, output) in classes.iter().zip(outputs) {
        let stride =
            stride(classes.len(), output.len(), port).ok_or_else(|| misfit(classes.len(), port))?;
        let depth = output.len() / classes.len();
        for (place, &class) in classes.iter().enumerate() {
            // `[classes][places]` or `[places][classes]`.
            let at = |index: usize| {
                if stride == 1 {
                    place * depth + index
                } else {
                    index * stride + place
                }
            };
            let mut best = 0;
            for index in 1..depth {
                if output[at(index)] > output[at(best)] {
                    best = index;
                }
            }
            right += usize::from(best as i64 == class);
            all += 1;
        }
    }
    Ok(right as f64 / all as f64)
}

/// Elements between the classes of one place: the classes are the first axis behind the batch,
/// or the last one.
fn stride(places: usize, len: usize, port: &Port) -> Option<usize> {
    let dims = &port.layout.dims;
    if places == 0 || !len.is_multiple_of(places) {
        return None;
    }
    let depth = len / places;
    if places == 1 || dims.last() == Some(&depth) {
        return Some(1);
    }
    let first = dims.iter().find(|&&dim| dim != 1);
    (first == Some(&depth)).then_some(places)
}

fn rmse(values: &[Vec<f64>], outputs: &[Vec<f32>], port: &Port) -> Result<f64, CalibrationError> {
    let (mut sum, mut all) = (0.0, 0.0);
    fits(values, outputs, port)?;
    for (values, output) in values.iter().zip(outputs) {
        if values.len() != output.len() {
            return Err(misfit(values.len(), port));
        }
        for (value, &found) in values.iter().zip(output) {
            let error = f64::from(found) - value;
            sum += error * error;
            all += 1.0;
        }
    }
    Ok(f64::sqrt(sum / all))
}

/// One entry a sample.
fn fits<T>(truth: &[Vec<T>], outputs: &[Vec<f32>], port: &Port) -> Result<(), CalibrationError> {
    if truth.len() == outputs.len() {
        Ok(())
    } else {
        Err(misfit(truth.len(), port))
    }
}

fn misfit(found: usize, port: &Port) -> CalibrationError {
    CalibrationError::Labels {
        found,
        output: port.layout.dims.clone(),
    }
}
