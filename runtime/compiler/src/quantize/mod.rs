//! From real arithmetic on quantized edges to the kernels' integer arithmetic.
//!
//! Every number that a kernel uses is decided here, in f64, from the scales of the edges; the
//! result is a graph of the same nodes with the kernels' own parameters. A model whose sums might
//! leave int32, or whose scales fixed point cannot relate, is refused.

mod convolution;
mod elementwise;
mod factor;
mod pool;
mod softmax;

use crate::error::{CompileError, Refusal};
use crate::graph::{Edge, EdgeId, Graph, Node, Op, Port, Quantization};
use microtome_kernels::num::Output;
use microtome_kernels::reference::{
    add::Add, average_pool::AveragePool, clamp::Clamp, conv2d::Conv2d, depthwise::Depthwise,
    max_pool::MaxPool, pad::Pad, rescale::Rescale, softmax::Softmax,
};

/// A model in the kernels' terms.
#[derive(Clone, Debug)]
pub struct IntegerGraph {
    /// The nodes, each after those that make its inputs.
    pub nodes: Vec<IntegerNode>,
    /// The edges, by [`EdgeId`].
    pub edges: Vec<IntegerEdge>,
    /// Inputs in the model's order.
    pub inputs: Vec<Port>,
    /// Outputs in the model's order.
    pub outputs: Vec<Port>,
}

/// One kernel call.
#[derive(Clone, Debug)]
pub struct IntegerNode {
    /// Name of the last source node that it computes.
    pub name: String,
    /// The kernel.
    pub kernel: Kernel,
    /// Operands.
    pub inputs: Vec<EdgeId>,
    /// Result.
    pub output: EdgeId,
}

/// An int8 activation.
#[derive(Clone, Debug)]
pub struct IntegerEdge {
    /// Elements.
    pub len: usize,
    /// What they stand for.
    pub quantization: Quantization,
}

/// A kernel with its parameters and constants.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the variants are the kernels")]
pub enum Kernel {
    Conv2d(Conv2d, ConvTensors),
    Depthwise(Depthwise, ConvTensors),
    Add(Add),
    AveragePool(AveragePool),
    MaxPool(MaxPool),
    Softmax(Softmax),
    Rescale(Rescale),
    Pad(Pad),
    Clamp(Clamp),
}

impl Kernel {
    /// Whether the output may lie exactly on the first operand.
    pub const fn in_place(&self) -> bool {
        matches!(self, Self::Add(_) | Self::Rescale(_) | Self::Clamp(_))
    }

    /// The constants of a convolution.
    pub const fn tensors(&self) -> Option<&ConvTensors> {
        match self {
            Self::Conv2d(_, tensors) | Self::Depthwise(_, tensors) => Some(tensors),
            _ => None,
        }
    }

    /// Multiply–accumulates.
    pub const fn macs(&self) -> usize {
        match self {
            Self::Conv2d(params, _) => params.macs(),
            Self::Depthwise(params, _) => params.macs(),
            _ => 0,
        }
    }
}

/// The constants of a convolution, in the layouts of the kernels' `ConvConstants`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvTensors {
    /// Weights.
    pub weights: Vec<i8>,
    /// Biases with the input's zero point folded in.
    pub bias: Vec<i32>,
    /// Mantissas.
    pub mantissas: Vec<i32>,
    /// Shifts.
    pub shifts: Vec<i8>,
}

/// Quantizes a verified graph.
pub fn quantize(graph: &Graph) -> Result<IntegerGraph, CompileError> {
    let mut nodes = Vec::new();
    for node in &graph.nodes {
        let kernel =
            kernel(graph, node).map_err(|refusal| refusal.at(&node.name, &node.source_op))?;
        nodes.push(IntegerNode {
            name: node.name.clone(),
            kernel,
            inputs: node.inputs.clone(),
            output: node.output,
        });
    }
    let edges = graph.edges.iter().map(|edge| IntegerEdge {
        len: edge.len,
        quantization: edge_quantization(edge),
    });
    Ok(IntegerGraph {
        nodes,
        edges: edges.collect(),
        inputs: graph.inputs.clone(),
        outputs: graph.outputs.clone(),
    })
}

fn kernel(graph: &Graph, node: &Node) -> Result<Kernel, Refusal> {
    let edges = Edges { graph, node };
    match &node.op {
        Op::Convolution(op) => convolution::convolution(op, &edges),
        Op::Add => elementwise::add(&edges),
        Op::Requantize => elementwise::requantize(&edges),
        Op::Pad(op) => Ok(elementwise::pad(op, &edges)),
        Op::AveragePool(op) => pool::average_pool(op, &edges),
        Op::MaxPool(op) => Ok(pool::max_pool(op, &edges)),
        Op::Softmax(op) => softmax::softmax(op, &edges),
    }
}

/// The edges around one node.
struct Edges<'a> {
    graph: &'a Graph,
    node: &'a Node,
}

impl Edges<'_> {
    fn input(&self, operand: usize) -> Quantization {
        edge_quantization(self.graph.edge(self.node.inputs[operand]))
    }

    fn output(&self) -> Quantization {
        edge_quantization(self.graph.edge(self.node.output))
    }

    fn len(&self) -> usize {
        self.graph.edge(self.node.output).len
    }

    /// How scaled sums become the output: its zero point and the bounds of its edge.
    fn store(&self) -> Output {
        let edge = self.graph.edge(self.node.output);
        let quantization = self.output();
        let (min, max) = edge.bounds.quantize(quantization);
        Output {
            zero: quantization.zero,
            min,
            max,
        }
    }
}

fn edge_quantization(edge: &Edge) -> Quantization {
    edge.quantization
        .expect("every edge of a verified graph is quantized")
}
