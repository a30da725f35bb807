//! Reading TFLite: bytes, to a checked model, to the source model in ONNX's terms.
//!
//! 1. `flatbuffer`: bounded reading of unchecked bytes; `schema` names the fields.
//! 2. `model`: tensors and operators, each read once.
//! 3. `ops`: the translation of each operator into ONNX's operators of the same meaning, written
//!    in the terms of `translation` and `arrange`.
//!
//! Images are NHWC in TFLite. Where ONNX's operator reads NCHW, a transpose stands before it and
//! another behind it; both only rename axes, and the lowering copies nothing for them. Quantized
//! tensors stand between a `QuantizeLinear` and a `DequantizeLinear`, as in a QDQ model.

mod arrange;
mod flatbuffer;
mod model;
mod ops;
mod schema;
mod translation;

pub use ops::translated;

use super::source::SourceModel;
use crate::error::CompileError;
use flatbuffer::File;
use model::{Model, unreadable};
use translation::{Stop, Translation};

/// Whether `bytes` say of themselves that they are a TFLite model.
pub fn is_tflite(bytes: &[u8]) -> bool {
    let (range, identifier) = schema::IDENTIFIER;
    bytes.get(range) == Some(identifier)
}

/// Reads the TFLite model in `bytes`, for a batch of 1.
///
/// # Errors
/// [`CompileError`] when the bytes are no valid model, when an input's size is not fixed, and when
/// an operator cannot be translated.
pub fn read(bytes: &[u8]) -> Result<SourceModel, CompileError> {
    let file = File::new(bytes);
    let model = Model::read(file.root()?)?;
    let translation = Translation::new(&model, bytes.len());
    let mut translation = translation.ok_or_else(|| unreadable("it has no operators"))?;
    for &input in &model.inputs {
        require_fixed(&model, input)?;
        translation.input(input)?;
    }
    for (operator, live) in model.operators.iter().zip(model.live()) {
        let first = translation.node_count();
        let name = translation.enter(operator);
        let translated = match ops::translator(operator.code) {
            Some(translate) if live => translate(&mut translation),
            _ => translation.keep(live),
        };
        translated.map_err(|stop| match stop {
            Stop::Refused(refusal) => refusal.at(&name, &operator.op),
            Stop::Invalid(error) => error,
        })?;
        translation.leave(first);
    }
    translation.finish()
}

fn require_fixed(model: &Model<'_>, input: usize) -> Result<(), CompileError> {
    let tensor = &model.tensors[input];
    let name = || tensor.name.clone();
    if let Some(&axis) = tensor.open_axes.iter().find(|&&axis| axis > 0) {
        return Err(CompileError::DynamicInput {
            input: name(),
            axis,
        });
    }
    match tensor.dims.first() {
        None | Some(1) => Ok(()),
        Some(&batch) => Err(CompileError::Batch {
            input: name(),
            batch: batch as i64,
        }),
    }
}
