//! From a model file to our own source model. The only folder that names tract.
//!
//! The quantization of a QDQ model is read here, before tract would fold it away: tract is asked
//! for the parsed operators and the shapes and values that its analysis infers, and for no
//! rewriting of the model.

mod by_value;
mod extremum;
mod faults;
pub mod onnx;
mod quantizer;
pub mod reference;
pub mod source;
