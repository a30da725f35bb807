//! What tract does not have, and what tract 0.23.9 computes wrongly.

use super::onnx::node_name;
use crate::error::{CompileError, Refusal};
use tract_onnx::pb::ModelProto;

/// Refuses the first operator that tract does not have or would compute wrongly.
pub(super) fn check(proto: &ModelProto) -> Result<(), CompileError> {
    let known = tract_onnx::onnx().op_register;
    let nodes = proto.graph.iter().flat_map(|graph| &graph.node);
    for node in nodes {
        if !known.0.contains_key(&node.op_type) {
            return Err(Refusal::NotInTract.at(node_name(node), &node.op_type));
        }
    }
    Ok(())
}
