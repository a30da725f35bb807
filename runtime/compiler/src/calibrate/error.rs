//! Why a model was not calibrated.

/// What is wrong with the samples, or with calibrating this model at all.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CalibrationError {
    /// The model has quantization of its own.
    #[error(
        "'{value}' is quantized by the model itself: compile it without calibration, or give the \
         float model"
    )]
    AlreadyQuantized {
        /// Name of an activation, or of a node with int8 weights.
        value: String,
    },
    /// There is no sample.
    #[error("there are no samples to calibrate with")]
    Empty,
    /// A sample has another number of inputs than the model.
    #[error("sample {sample} has {found} inputs, the model has {expected}")]
    Inputs {
        /// Index of the sample.
        sample: usize,
        /// Its inputs.
        found: usize,
        /// Inputs of the model.
        expected: usize,
    },
    /// An input of a sample has another size than the model's.
    #[error("sample {sample} has {found} elements for input '{input}', which has {expected}")]
    Shape {
        /// Index of the sample.
        sample: usize,
        /// Name of the input.
        input: String,
        /// Elements of the sample.
        found: usize,
        /// Elements of the model's input.
        expected: usize,
    },
    /// A sample has an element that its input cannot hold, such as NaN.
    #[error("sample {sample} has {value} in it, which input '{input}' cannot hold")]
    Value {
        /// Index of the sample.
        sample: usize,
        /// Name of the input.
        input: String,
        /// The element.
        value: f64,
    },
    /// The float model itself makes infinities or NaN of a sample.
    #[error("sample {sample} makes '{value}' infinite or NaN in the float model: leave it out")]
    NotFinite {
        /// Index of the sample.
        sample: usize,
        /// Name of the activation.
        value: String,
    },
    /// The labels do not fit the first output, or the samples.
    #[error("there are {found} labels a sample, which do not fit an output with axes {output:?}")]
    Labels {
        /// Labels of the first sample that does not fit.
        found: usize,
        /// Axes of the first output.
        output: Vec<usize>,
    },
}
