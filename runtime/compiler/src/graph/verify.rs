//! The rules of a graph that the later stages rely on.

use super::{EdgeId, Graph, Kind, Node};
use crate::error::{CompileError, Refusal};

impl Graph {
    /// Checks that every node reads what is there before it, that nothing is empty, and that
    /// scales are usable.
    ///
    /// # Errors
    /// [`CompileError`] names the first node or port that breaks a rule.
    pub fn verify(&self) -> Result<(), CompileError> {
        let is_constant = |edge: &super::Edge| edge.constant.is_some();
        let mut made: Vec<bool> = self.edges.iter().map(is_constant).collect();
        for port in &self.inputs {
            self.verify_edge(port.edge)
                .map_err(|refusal| port_error(&port.name, refusal))?;
            made[port.edge.0] = true;
        }
        for node in &self.nodes {
            self.verify_node(node, &made)
                .map_err(|refusal| refusal.at(&node.name, &node.source_op))?;
            for output in &node.outputs {
                made[output.0] = true;
            }
        }
        for port in &self.outputs {
            self.verify_made(port.edge, &made)
                .map_err(|refusal| port_error(&port.name, refusal))?;
        }
        Ok(())
    }

    fn verify_node(&self, node: &Node, made: &[bool]) -> Result<(), Refusal> {
        for &input in &node.inputs {
            self.verify_made(input, made)?;
            self.verify_edge(input)?;
        }
        let mut outputs = node.outputs.iter();
        outputs.try_for_each(|&output| self.verify_edge(output))
    }

    fn verify_made(&self, id: EdgeId, made: &[bool]) -> Result<(), Refusal> {
        if made[id.0] {
            Ok(())
        } else {
            Err(Refusal::NotAnActivation {
                value: self.edge(id).name.clone(),
            })
        }
    }

    fn verify_edge(&self, id: EdgeId) -> Result<(), Refusal> {
        let edge = self.edge(id);
        if let Some(quantization) = edge.quantization {
            let scale = quantization.scale;
            if edge.kind != Kind::Real || !(scale.is_finite() && scale > 0.0) {
                return Err(Refusal::Scale { scale });
            }
        }
        if edge.len == 0 {
            return Err(Refusal::Shape {
                found: vec![vec![0]],
            });
        }
        Ok(())
    }
}

fn port_error(port: &str, refusal: Refusal) -> CompileError {
    CompileError::Port {
        port: port.into(),
        refusal,
    }
}
