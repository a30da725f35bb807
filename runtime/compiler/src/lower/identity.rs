//! `Identity`, and `Dropout`, which is one when a model is run.

use super::Lowering;
use super::operand::Binding;
use crate::error::Refusal;
use crate::import::source::{Elements, SourceNode};
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let mut training = node.inputs.get(2).copied().flatten().into_iter();
    let is_off = |value| cx.source.value(value).constant == Some(Elements::Bool(vec![false]));
    if node.op == "Dropout" && !training.all(is_off) {
        return Err(Refusal::Attribute {
            attribute: "training_mode",
            value: "not a constant false".into(),
        });
    }
    if let Some(Binding::Quantized(constant)) = cx.binding(node, 0)? {
        let constant = Binding::Quantized(constant.clone());
        let output = cx.output(node)?;
        cx.bindings[output.0] = Some(constant);
        return Ok(Fate::Folded);
    }
    let input = cx.activation(node, 0)?;
    cx.alias(node, input)
}
