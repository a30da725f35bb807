//! From a model file to our own source model. The only folder that names tract.
//!
//! ONNX is parsed by tract, TFLite by our own reader; what comes out is in ONNX's terms either
//! way. The quantization of a model is read here, before tract would fold it away: tract is asked
//! for the shapes and values that its analysis infers, and for no rewriting of the model. That is
//! ours: `rewrite` brings other spellings to ONNX's operators and the QDQ format.

mod analysis;
mod by_value;
mod extremum;
mod facts;
mod faults;
mod formats;
pub mod onnx;
mod quantizer;
pub mod reference;
mod rewrite;
pub mod source;
mod tensor;
mod tflite;
mod weights;

pub use rewrite::rewritten;
pub use tflite::translated;

use crate::error::{CompileError, Format};
use crate::tensor::Tensor;
use source::SourceModel;

/// The format of a model file. Only TFLite's names itself.
pub fn format_of(bytes: &[u8]) -> Format {
    if tflite::is_tflite(bytes) {
        Format::Tflite
    } else {
        Format::Onnx
    }
}

/// Reads the model in `bytes`, for a free batch of 1, and for `frames` frames along an open axis
/// where a stream is wanted. Inputs that are `known` become constants (ONNX alone).
///
/// # Errors
/// [`CompileError`] when the bytes are no valid model, when an input's size is not fixed, and when
/// there is an operator that `knows` denies or that has no counterpart in ONNX.
pub fn read(
    bytes: &[u8],
    knows: fn(&str) -> bool,
    frames: Option<usize>,
    known: &[(&str, Tensor)],
) -> Result<SourceModel, CompileError> {
    match format_of(bytes) {
        Format::Onnx => onnx::read(bytes, knows, frames, known),
        Format::Tflite if frames.is_some() => Err(CompileError::NoFrames),
        Format::Tflite => tflite::read(bytes),
    }
}
