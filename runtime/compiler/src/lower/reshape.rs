//! `Reshape`, `Flatten`, `Squeeze`, `Unsqueeze`: other axes over the same memory.

use super::Lowering;
use super::operand::Activation;
use crate::error::Refusal;
use crate::import::source::SourceNode;
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let input = cx.activation(node, 0)?;
    let dims = cx.output_dims(node)?;
    if dims.iter().product::<usize>() != input.layout.len() {
        return Err(Refusal::Shape {
            found: vec![input.layout.dims, dims.into()],
        });
    }
    let layout = input.layout.reshape(dims);
    cx.alias(node, Activation { layout, ..input })
}
