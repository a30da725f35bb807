//! Every node becomes integer or float as a whole.
//!
//! A node is integer where all its real edges are quantized and its operator has an integer form.
//! Around any other node, what is quantized is dequantized before it and quantized after it, by
//! nodes of their own ([`Requantize`]); so is a clamp that its kernel does not take.

use crate::error::CompileError;
use crate::graph::{Bounds, Edge, EdgeId, Graph, Kind, Node, NodeId};
use crate::ops::requantize::Requantize;
use crate::ops::{Edges, Op};
use crate::report::{Fate, NodeReport};
use std::collections::HashMap;

/// Settles the precision of every node. `reports` name steps of `graph` and are made to name
/// those of the result.
pub fn settle(graph: Graph, reports: &mut [NodeReport]) -> Result<Graph, CompileError> {
    let mut settling = Settling {
        graph: Graph {
            nodes: Vec::new(),
            ..graph
        },
        dequantized: HashMap::new(),
    };
    let mut steps = Vec::new();
    for node in graph.nodes {
        let step = settling.add(node);
        steps.push(step.0);
    }
    for report in reports {
        match &mut report.fate {
            Fate::Step(step) | Fate::FusedInto(step) => *step = steps[*step],
            Fate::Folded | Fate::Aliased | Fate::Unused => {}
        }
    }
    settling.graph.verify()?;
    Ok(settling.graph)
}

struct Settling {
    graph: Graph,
    /// The float edge that was made of each quantized one.
    dequantized: HashMap<EdgeId, EdgeId>,
}

impl Settling {
    /// Adds `node`, and around it what its precision needs; gives its own place.
    fn add(&mut self, mut node: Node) -> NodeId {
        if node.op.get().aligns_quantization() {
            self.align(&mut node);
        }
        let is_real = |edge: &&EdgeId| self.graph.edge(**edge).kind == Kind::Real;
        let edges = node.inputs.iter().chain(&node.outputs).filter(is_real);
        let quantized = edges.filter(|&&edge| self.graph.edge(edge).quantization.is_some());
        let count = |edges: &[EdgeId]| edges.iter().filter(is_real).count();
        let all = count(&node.inputs) + count(&node.outputs);
        let quantized = quantized.count();
        let around = Edges {
            graph: &self.graph,
            node: &node,
        };
        if quantized == all && node.op.get().has_integer(&around) {
            return self.graph.add_node(node);
        }
        if let (Op::Requantize(_), &[from], &[to]) = (&node.op, &*node.inputs, &*node.outputs) {
            return self.requantize(&node.name, from, to);
        }
        for input in &mut node.inputs {
            *input = self.float(*input, &node.name);
        }
        self.add_float(node)
    }

    /// Gives the operands of `node` its result's quantization, where all have one or are constants.
    fn align(&mut self, node: &mut Node) {
        let wanted = self.graph.edge(node.outputs[0]).quantization;
        let known = |&input: &EdgeId| {
            let edge = self.graph.edge(input);
            edge.kind != Kind::Real || edge.quantization.is_some() || edge.constant.is_some()
        };
        if wanted.is_none() || !node.inputs.iter().all(known) {
            return;
        }
        for input in &mut node.inputs {
            let edge = self.graph.edge(*input);
            if edge.kind != Kind::Real || edge.quantization == wanted {
                continue;
            }
            let is_constant = edge.constant.is_some();
            let aligned = self.like(*input, Bounds::NONE);
            self.graph.edge_mut(aligned).quantization = wanted;
            if !is_constant {
                self.convert(&node.name, *input, aligned);
            }
            *input = aligned;
        }
    }

    /// A float node: its results are float, and are clamped and quantized behind it.
    fn add_float(&mut self, mut node: Node) -> NodeId {
        let mut behind = Vec::new();
        for output in &mut node.outputs {
            let edge = self.graph.edge(*output);
            let clamps = edge.bounds != Bounds::NONE && !node.op.get().takes_float_bounds();
            if edge.kind == Kind::Real && (edge.quantization.is_some() || clamps) {
                let bounds = if clamps { Bounds::NONE } else { edge.bounds };
                let float = self.like(*output, bounds);
                behind.push((float, *output));
                *output = float;
            }
        }
        let name = node.name.clone();
        let id = self.graph.add_node(node);
        for (from, to) in behind {
            self.requantize(&name, from, to);
        }
        id
    }

    /// The float edge with the real numbers of `edge`.
    fn float(&mut self, edge: EdgeId, name: &str) -> EdgeId {
        let found = self.graph.edge(edge);
        if found.kind != Kind::Real || found.quantization.is_none() {
            return edge;
        }
        if let Some(&float) = self.dequantized.get(&edge) {
            return float;
        }
        let float = self.like(edge, Bounds::NONE);
        if self.graph.edge(edge).constant.is_none() {
            self.requantize(name, edge, float);
        }
        self.dequantized.insert(edge, float);
        float
    }

    /// A float edge that is otherwise as `edge`.
    fn like(&mut self, edge: EdgeId, bounds: Bounds) -> EdgeId {
        let float = Edge {
            quantization: None,
            bounds,
            producer: None,
            ..self.graph.edge(edge).clone()
        };
        self.graph.edges.push(float);
        EdgeId(self.graph.edges.len() - 1)
    }

    /// Puts the real numbers of `from` into `to`, one of which is quantized and one float: a clamp
    /// on the way is one of its own, in float.
    fn requantize(&mut self, name: &str, from: EdgeId, to: EdgeId) -> NodeId {
        let bounds = self.graph.edge(to).bounds;
        if bounds == Bounds::NONE || self.is_float(from) == self.is_float(to) {
            return self.convert(name, from, to);
        }
        let float = if self.is_float(to) { to } else { from };
        let between = self.like(
            float,
            if self.is_float(from) {
                bounds
            } else {
                Bounds::NONE
            },
        );
        if self.is_float(from) {
            self.graph.edge_mut(to).bounds = Bounds::NONE;
        }
        self.convert(name, from, between);
        self.convert(name, between, to)
    }

    fn is_float(&self, edge: EdgeId) -> bool {
        self.graph.edge(edge).is_float()
    }

    fn convert(&mut self, name: &str, from: EdgeId, to: EdgeId) -> NodeId {
        self.graph.add_node(Node {
            name: name.into(),
            source_op: "QuantizeLinear".into(),
            op: Requantize.into(),
            inputs: vec![from],
            outputs: vec![to],
        })
    }
}
