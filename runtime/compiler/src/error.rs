//! Why a model cannot be compiled: the node, the reason, and the way out.

use crate::calibrate::CalibrationError;
use microtome_plan::PlanError;
use std::fmt;

/// The format of a model file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ONNX.
    Onnx,
    /// TensorFlow Lite (LiteRT).
    Tflite,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Onnx => "ONNX",
            Self::Tflite => "TFLite",
        })
    }
}

/// Why a model was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CompileError {
    /// The bytes are no model, or one that breaks its format's own rules.
    #[error("this is not a valid {format} model: {reason}")]
    Unreadable {
        /// The format that was read.
        format: Format,
        /// What its reader says.
        reason: String,
    },
    /// tract was asked to run a model that it does not read.
    #[error("tract runs ONNX models alone, and this is a {format} model: use another backend")]
    TractFormat {
        /// The model's format.
        format: Format,
    },
    /// tract does not take the model, though it is a valid one.
    #[error("tract does not take the model: {reason}")]
    Tract {
        /// What tract says.
        reason: String,
    },
    /// An input has an axis that is empty or, other than the batch, not fixed.
    #[error(
        "axis {axis} of input '{input}' is open or empty: export the model with a fixed size, or \
         compile a stream with --pulse"
    )]
    DynamicInput {
        /// Name of the input.
        input: String,
        /// The axis.
        axis: usize,
    },
    /// An input has a fixed batch that is not 1.
    #[error("input '{input}' has a batch of {batch}: export the model with a batch of 1")]
    Batch {
        /// Name of the input.
        input: String,
        /// Its batch.
        batch: i64,
    },
    /// A stream was asked for, and no input says along which axis.
    #[error("no input has an open axis for frames: export the model with an open (dynamic) axis")]
    NoFrames,
    /// The model only computes constants, or nothing.
    #[error("the model has no {what}, and a plan has at least one; add it to the graph")]
    NoPort {
        /// "input" or "output".
        what: &'static str,
    },
    /// A node cannot be compiled.
    #[error("node '{node}' ({op}): {refusal}")]
    Node {
        /// Name of the node in the model.
        node: String,
        /// Its operator: ONNX's name, or TFLite's where ONNX has none of that meaning.
        op: String,
        /// Why.
        refusal: Refusal,
    },
    /// An input or output of the model cannot be compiled.
    #[error("'{port}', an input or output of the model: {refusal}")]
    Port {
        /// Name of the input or output.
        port: String,
        /// Why.
        refusal: Refusal,
    },
    /// The model cannot be calibrated with these samples.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// The plan would break a rule of the format, such as its limits on sizes.
    #[error("the compiled plan is not valid: {0}")]
    Plan(#[from] PlanError),
}

/// Why a node, an input or an output was refused, and what to do about it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The operator has no lowering.
    #[error(
        "this operator is not lowered yet; replace it, or run the model with --backend tract (ONNX)"
    )]
    Operator,
    /// tract has the operator, and computes it wrongly.
    #[error("tract would give wrong numbers: {fault}; use another executor, or replace it")]
    WrongInTract {
        /// What it does not do.
        fault: &'static str,
    },
    /// tract does not know the operator.
    #[error("this operator is not known here; export the model with ONNX's own operators")]
    OperatorUnknown,
    /// The model is quantized in a way that is not taken.
    #[error("{found} is not taken; {instead}")]
    Quantization {
        /// The way.
        found: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
    /// An attribute has a value that has no lowering.
    #[error(
        "attribute {attribute} = {value} is not lowered yet; run the model with --backend tract \
         (ONNX)"
    )]
    Attribute {
        /// Name of the attribute.
        attribute: &'static str,
        /// Its value.
        value: String,
    },
    /// An operand that the operator needs is not there.
    #[error("operand {operand} is missing; check the model with its format's own tools")]
    OperandMissing {
        /// Index of the operand.
        operand: usize,
    },
    /// An operand has to be a constant.
    #[error("'{value}' must be a constant; simplify the model before it is compiled")]
    NotConstant {
        /// Name of the operand.
        value: String,
    },
    /// A constant stands where an activation has to be.
    #[error("'{value}' must not be a constant; simplify the model before it is compiled")]
    NotAnActivation {
        /// Name of the operand.
        value: String,
    },
    /// An activation is used in float: no Q/DQ pair tells its scale.
    #[error("'{value}' is not quantized; quantize the model (QDQ, int8) or run --backend tract")]
    NotQuantized {
        /// Name of the activation.
        value: String,
    },
    /// Weights are not int8 constants behind a `DequantizeLinear`.
    #[error("the weights '{value}' are not quantized; quantize the model (QDQ, int8)")]
    WeightsNotQuantized {
        /// Name of the weights.
        value: String,
    },
    /// A tensor has a type that the operator does not take.
    #[error(
        "'{value}' has type {found}, which is not taken here; export it as float, or quantize the \
         model (QDQ, int8 or uint8)"
    )]
    Type {
        /// Name of the tensor.
        value: String,
        /// Its type.
        found: &'static str,
    },
    /// Weights are not symmetric.
    #[error("the weights have zero point {zero}; quantize weights symmetrically (zero point 0)")]
    WeightZeroPoint {
        /// The first zero point that is not 0 (in int8).
        zero: i32,
    },
    /// A quantizer's scale or zero point is not usable.
    #[error("scale {scale} or its zero point is not usable; calibrate the model again")]
    Scale {
        /// The scale.
        scale: f32,
    },
    /// A value is dequantized with other parameters than it was quantized with.
    #[error("'{value}' is quantized and dequantized with different scales; use one for both")]
    ScaleMismatch {
        /// Name of the value.
        value: String,
    },
    /// The operands' shapes do not fit the operator or one another.
    #[error("the shapes {found:?} do not fit; broadcasting and other ranks are not lowered yet")]
    Shape {
        /// The shapes.
        found: Vec<Vec<usize>>,
    },
    /// A sum may leave int32.
    #[error(
        "output channel {channel} may overflow int32 (sum up to {bound}); use smaller weights or \
         bias, or split the input channels"
    )]
    Overflow {
        /// The output channel.
        channel: usize,
        /// The largest magnitude of its sum.
        bound: i64,
    },
    /// A factor between scales cannot be represented.
    #[error("scales differ by a factor of {factor:e}, beyond fixed point; calibrate again")]
    Factor {
        /// The factor.
        factor: f64,
    },
    /// The operator does not run on a stream.
    #[error("it does not stream: {reason}; compile the model without --pulse")]
    NotStreaming {
        /// Why.
        reason: &'static str,
    },
    /// An image or sequence has a batch that is not 1.
    #[error("it has a batch of {batch}; export the model with a batch of 1")]
    Batch {
        /// The batch.
        batch: usize,
    },
    /// There are more inputs or outputs, or more axes, than a plan has.
    #[error("there are {found} {what}, and a plan has at most {most}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many.
        found: usize,
        /// Most that a plan has.
        most: usize,
    },
}

/// Axes and elements that do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} elements do not fill the axes {dims:?}")]
pub struct TensorError {
    /// The sizes of the axes.
    pub dims: Vec<usize>,
    /// How many elements there are.
    pub found: usize,
}

impl Refusal {
    /// The error for the node of that name and operator.
    pub(crate) fn at(self, node: &str, op: &str) -> CompileError {
        CompileError::Node {
            node: node.into(),
            op: op.into(),
            refusal: self,
        }
    }
}
