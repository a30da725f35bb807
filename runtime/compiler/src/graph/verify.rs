//! The rules of a graph that the later stages rely on.

use super::{Edge, EdgeId, Graph, Node};
use crate::error::{CompileError, Refusal};

impl Graph {
    /// Checks that every edge is quantized, that every node reads what is made before it, and
    /// that lengths fit.
    ///
    /// # Errors
    /// [`CompileError`] names the first node or port that breaks a rule.
    pub fn verify(&self) -> Result<(), CompileError> {
        let mut made = vec![false; self.edges.len()];
        for port in &self.inputs {
            self.verify_edge(port.edge)
                .map_err(|refusal| port_error(&port.name, refusal))?;
            made[port.edge.0] = true;
        }
        for node in &self.nodes {
            self.verify_node(node, &made)
                .map_err(|refusal| refusal.at(&node.name, &node.source_op))?;
            made[node.output.0] = true;
        }
        for port in &self.outputs {
            self.verify_made(port.edge, &made)
                .map_err(|refusal| port_error(&port.name, refusal))?;
        }
        Ok(())
    }

    fn verify_node(&self, node: &Node, made: &[bool]) -> Result<(), Refusal> {
        if node.inputs.len() != node.op.arity() {
            return Err(Refusal::OperandMissing {
                operand: node.inputs.len(),
            });
        }
        for &input in &node.inputs {
            self.verify_made(input, made)?;
        }
        self.verify_edge(node.output)?;
        let output = self.edge(node.output).len;
        let (input, output_wanted) = node.op.lens().unwrap_or((output, output));
        let fits = node.inputs.iter().all(|&it| self.edge(it).len == input);
        if !fits || output != output_wanted {
            let edges = node.inputs.iter().chain([&node.output]);
            let found = edges.map(|&it| vec![self.edge(it).len]).collect();
            return Err(Refusal::Shape { found });
        }
        Ok(())
    }

    fn verify_made(&self, id: EdgeId, made: &[bool]) -> Result<(), Refusal> {
        let name = || self.edge(id).name.clone();
        if made[id.0] {
            Ok(())
        } else {
            Err(Refusal::NotAnActivation { value: name() })
        }
    }

    fn verify_edge(&self, id: EdgeId) -> Result<(), Refusal> {
        let Edge {
            name,
            len,
            quantization,
            ..
        } = self.edge(id);
        let Some(quantization) = quantization else {
            return Err(Refusal::NotQuantized {
                value: name.clone(),
            });
        };
        let scale = quantization.scale;
        if !(scale.is_finite() && scale > 0.0) {
            return Err(Refusal::Scale { scale });
        }
        if *len == 0 {
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
