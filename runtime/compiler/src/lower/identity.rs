//! `Identity`, and `Dropout`, which is one when a model is run.

use super::Lowering;
use super::operand::Binding;
use crate::error::Refusal;
use crate::import::source::SourceNode;
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    if let Some(Binding::Quantized(constant)) = cx.binding(node, 0)? {
        let constant = Binding::Quantized(constant.clone());
        let output = cx.output(node)?;
        cx.bindings[output.0] = Some(constant);
        return Ok(Fate::Folded);
    }
    let input = cx.activation(node, 0)?;
    cx.alias(node, input)
}
