//! The samples that the user gives, and how the arena of this very model has them.

use super::error::CalibrationError;
use crate::graph::{Graph, Kind, Port};
use microtome_plan::ModelType;

/// The inputs of one run: for each input of the model its elements, row major over the model's
/// axes.
pub type Sample = Vec<Vec<f64>>;

/// Samples as the model will meet them, and perhaps what its first output should be for each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// The inputs.
    pub inputs: Vec<Sample>,
    /// What the first output should be.
    pub truth: Option<Truth>,
}

/// What the first output should be for each sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Truth {
    /// The index of the largest element along the axis of classes: one a sample, or one for each
    /// place along the other axes.
    Classes(Vec<Vec<i64>>),
    /// The output itself.
    Values(Vec<Vec<f64>>),
}

/// Samples whose elements lie as the arena has them.
#[derive(Clone, Debug)]
pub(super) struct Arranged(pub Vec<Sample>);

impl Arranged {
    /// Checks `samples` and puts their elements in the order of the arena.
    ///
    /// # Errors
    /// When there are none, one has another size than the model's inputs, or one holds what its
    /// input cannot.
    pub fn new(samples: &Samples, graph: &Graph) -> Result<Self, CalibrationError> {
        if samples.inputs.is_empty() {
            return Err(CalibrationError::Empty);
        }
        let orders: Vec<Vec<usize>> = graph
            .inputs
            .iter()
            .map(|port| port.layout.model_indices())
            .collect();
        let arrange = |(index, sample): (usize, &Sample)| {
            if sample.len() != graph.inputs.len() {
                return Err(CalibrationError::Inputs {
                    sample: index,
                    found: sample.len(),
                    expected: graph.inputs.len(),
                });
            }
            let mut arranged = Sample::new();
            for ((values, port), order) in sample.iter().zip(&graph.inputs).zip(&orders) {
                check(index, values, port, graph.edge(port.edge).kind)?;
                arranged.push(order.iter().map(|&at| values[at]).collect());
            }
            Ok(arranged)
        };
        let arranged = samples.inputs.iter().enumerate().map(arrange);
        Ok(Self(arranged.collect::<Result<_, _>>()?))
    }

    /// At most `count` of them, evenly spaced.
    pub fn spread(&self, count: usize) -> Self {
        let all = self.0.len();
        let count = count.clamp(1, all);
        let pick = |at: usize| self.0[at * all / count].clone();
        Self((0..count).map(pick).collect())
    }
}

fn check(sample: usize, values: &[f64], port: &Port, kind: Kind) -> Result<(), CalibrationError> {
    let input = || port.name.clone();
    let expected = port.layout.len();
    if values.len() != expected {
        return Err(CalibrationError::Shape {
            sample,
            input: input(),
            found: values.len(),
            expected,
        });
    }
    let held = |&value: &f64| match (kind, port.model_type) {
        (Kind::Real, _) => value.is_finite() && (value as f32).is_finite(),
        (Kind::Truth, _) => value == 0.0 || value == 1.0,
        (_, ModelType::I32 | ModelType::I64) => f64::from(value as i32) == value,
        _ => false,
    };
    match values.iter().find(|value| !held(value)) {
        None => Ok(()),
        Some(&value) => Err(CalibrationError::Value {
            sample,
            input: input(),
            value,
        }),
    }
}
