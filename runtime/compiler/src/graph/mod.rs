//! The graph: operators on real numbers, and how each edge holds them.
//!
//! A node computes as if in real numbers on the values that its inputs stand for and clamps to the
//! bounds of its output edge; where that edge is quantized it quantizes once. What kernel does
//! that is decided in [`crate::select`]. Images are channels last; a reshape or transpose of the
//! source model is no node but another [`Layout`] of the same edge.

pub mod layout;
pub mod quantization;
mod verify;

pub use crate::ops::Op;
pub use layout::Layout;
pub use quantization::{Bounds, Quantization};

use microtome_kernels::Element;
use microtome_plan::ModelType;

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
    /// Results, at least one.
    pub outputs: Vec<EdgeId>,
}

/// What an edge's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Real numbers: int8 where the edge is quantized, float where it is not.
    Real,
    /// Integers, held as int32.
    Integer,
    /// Truth values, held as int8: 0 or 1.
    Truth,
    /// Fixed-point numbers that only the operator which keeps them reads, held as int16.
    Fixed,
}

/// The elements of an edge that is a constant, in its memory's order.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// Real numbers; quantized where the edge is.
    Real(Vec<f32>),
    /// Integers.
    Integer(Vec<i32>),
    /// Truth values.
    Truth(Vec<bool>),
}

/// An activation, or a constant operand.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The source model's name of it.
    pub name: String,
    /// Elements.
    pub len: usize,
    /// What they are.
    pub kind: Kind,
    /// What its int8 values stand for; real numbers without are float.
    pub quantization: Option<Quantization>,
    /// The real numbers to which its producer clamps it.
    pub bounds: Bounds,
    /// The node that makes it; none makes an input or a constant.
    pub producer: Option<NodeId>,
    /// Its elements, if it is a constant.
    pub constant: Option<Constant>,
}

impl Edge {
    /// The type of its elements in memory.
    pub const fn element(&self) -> Element {
        match (self.kind, self.quantization) {
            (Kind::Real, None) => Element::F32,
            (Kind::Real, Some(_)) | (Kind::Truth, _) => Element::I8,
            (Kind::Integer, _) => Element::I32,
            (Kind::Fixed, _) => Element::I16,
        }
    }

    /// Whether it holds real numbers in float.
    pub const fn is_float(&self) -> bool {
        matches!(self.element(), Element::F32)
    }
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
    /// The type that the model's user gives or gets.
    pub model_type: ModelType,
}

impl Graph {
    /// Adds an edge of that name and length, without quantization or bounds.
    pub fn add_edge(&mut self, name: &str, kind: Kind, len: usize) -> EdgeId {
        self.edges.push(Edge {
            name: name.into(),
            len,
            kind,
            quantization: None,
            bounds: Bounds::NONE,
            producer: None,
            constant: None,
        });
        EdgeId(self.edges.len() - 1)
    }

    /// Adds a node and the mark of its outputs' producer.
    pub fn add_node(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.nodes.len());
        for output in &node.outputs {
            self.edges[output.0].producer = Some(id);
        }
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
