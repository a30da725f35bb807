//! What calibration did, and what it cost in accuracy.

use super::range::Method;

/// What became of a float model on its way to int8, measured on the samples.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizationReport {
    /// Samples that were measured.
    pub samples: usize,
    /// The method that chose the ranges before single ones were moved.
    pub base: Method,
    /// Every activation that became int8, the one that lost most first.
    pub edges: Vec<QuantizedEdge>,
    /// The outputs in the model's order.
    pub outputs: Vec<OutputNoise>,
    /// Nodes that have no integer form and stay float, with their operators.
    pub float_nodes: Vec<(String, String)>,
    /// Groups of activations whose channels were equalized.
    pub chains_equalized: usize,
    /// Nodes whose biases were corrected.
    pub biases_corrected: Vec<String>,
    /// How well both models do on the labels, if there are any.
    pub accuracy: Option<Accuracy>,
}

/// An activation that became int8.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedEdge {
    /// The activation's name.
    pub name: String,
    /// The operator that makes it; none makes an input.
    pub op: Option<String>,
    /// How its range was chosen.
    pub method: Method,
    /// Its scale.
    pub scale: f32,
    /// Its zero point.
    pub zero: i8,
    /// Power of the float model's values over that of the difference to them, in decibels, with
    /// all that went wrong before it.
    pub snr_db: f64,
}

/// How much of an output is noise.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputNoise {
    /// The output's name.
    pub name: String,
    /// Power of the float model's values over that of the difference to them, in decibels.
    pub snr_db: f64,
}

/// How well a model does on labelled samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// What is counted.
    pub score: Score,
    /// The float model's.
    pub float: f64,
    /// The quantized one's.
    pub int8: f64,
}

/// What is counted on labelled samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Score {
    /// The share of right classes.
    Accuracy,
    /// The root mean square error.
    Rmse,
}
