//! The names of the operators that compile, as the registries have them.

use crate::import::{rewritten, translated};
use crate::lower::{folded, lowered};

/// The names of the operators that compile. What a model may ask of each is another question,
/// which only compiling it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operators {
    /// ONNX's operators that become steps, or views of what steps make.
    pub lowered: Vec<&'static str>,
    /// Operators of ONNX and onnxruntime that become others of ONNX.
    pub rewritten: Vec<&'static str>,
    /// ONNX's operators that are known on constants and shapes, which need no step.
    pub folded: Vec<&'static str>,
    /// TFLite's operators that become ONNX's.
    pub tflite: Vec<&'static str>,
}

/// The operators that compile, each list in alphabetical order.
pub fn operators() -> Operators {
    let sorted = |mut names: Vec<&'static str>| {
        names.sort_unstable();
        names
    };
    Operators {
        lowered: sorted(lowered().collect()),
        rewritten: sorted(rewritten().collect()),
        folded: sorted(folded().collect()),
        tflite: sorted(translated().collect()),
    }
}
