//! From a model file to our own source model. The only folder that names tract.
//!
//! The quantization of a model is read here, before tract would fold it away: tract is asked for
//! the shapes and values that its analysis infers, and for no rewriting of the model. That is
//! ours: `rewrite` brings other spellings to ONNX's operators and the QDQ format.

mod by_value;
mod extremum;
mod faults;
mod formats;
pub mod onnx;
mod quantizer;
pub mod reference;
mod rewrite;
pub mod source;
mod tensor;
mod weights;
