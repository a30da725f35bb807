//! The graph: operators on real numbers, with the quantization of every edge.
//!
//! A node computes as if in real numbers on the values that its int8 inputs stand for, clamps to
//! the bounds of its output edge and quantizes once. What integer arithmetic does that is decided
//! in [`crate::quantize`]. Activations are channels last; a reshape or transpose of the source
//! model is no node but another [`Layout`] of the same edge.

pub mod layout;
pub mod op;
pub mod quantization;
mod verify;

pub use layout::Layout;
pub use op::Op;
pub use quantization::{Bounds, Quantization};

/// Index into [`Graph::edges`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeId(pub usize);

/// Index into [`Graph::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// A model between lowering and integer arithmetic.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Operators; each comes after those that make its inputs.
    pub nodes: Vec<Node>,
    /// Activations.
    pub edges: Vec<Edge>,
    /// Inputs in the model's order.
    pub inputs: Vec<Port>,
    /// Outputs in the model's order.
    pub outputs: Vec<Port>,
}

/// One operator.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name of the last source node that it computes.
    pub name: String,
    /// ONNX's name of the operator that it came from, for messages.
    pub source_op: String,
    /// The operator.
    pub op: Op,
    /// Operands.
    pub inputs: Vec<EdgeId>,
    /// Result.
    pub output: EdgeId,
}

/// An activation.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The source model's name of it.
    pub name: String,
    /// Elements.
    pub len: usize,
    /// What its int8 values stand for; known for every edge of a verified graph.
    pub quantization: Option<Quantization>,
    /// The real numbers to which its producer clamps it.
    pub bounds: Bounds,
    /// The node that makes it; none makes an input.
    pub producer: Option<NodeId>,
}

/// An input or output of the model.
#[derive(Clone, Debug)]
pub struct Port {
    /// The model's name of it.
    pub name: String,
    /// The edge.
    pub edge: EdgeId,
    /// The model's axes, and how the edge has them in memory.
    pub layout: Layout,
    /// Whether the model's user has int8 (and not float) there.
    pub is_int8: bool,
}

impl Graph {
    /// Adds an edge of that name and length, without quantization or bounds.
    pub fn add_edge(&mut self, name: &str, len: usize) -> EdgeId {
        self.edges.push(Edge {
            name: name.into(),
            len,
            quantization: None,
            bounds: Bounds::NONE,
            producer: None,
        });
        EdgeId(self.edges.len() - 1)
    }

    /// Adds a node and the mark of its output's producer.
    pub fn add_node(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.nodes.len());
        self.edges[node.output.0].producer = Some(id);
        self.nodes.push(node);
        id
    }

    /// The edge of that id.
    pub fn edge(&self, id: EdgeId) -> &Edge {
        &self.edges[id.0]
    }

    /// The edge of that id, to change it.
    pub fn edge_mut(&mut self, id: EdgeId) -> &mut Edge {
        &mut self.edges[id.0]
    }
}
