//! From the graph to kernels: for each node the integer kernel where its edges are quantized, the
//! float one where they are not.

use crate::error::{CompileError, Refusal};
use crate::graph::{Constant, Edge, EdgeId, Graph, Kind, Node, Port};
use crate::ops::{Edges, Kernel};
use microtome_kernels::operator::Extent;
use microtome_plan::{Op, Target, repack};
use std::borrow::Cow;

/// A model in the kernels' terms.
#[derive(Clone, Debug)]
pub struct KernelGraph {
    /// The nodes, each after those that make its inputs.
    pub nodes: Vec<KernelNode>,
    /// The edges, by [`EdgeId`].
    pub edges: Vec<KernelEdge>,
    /// Inputs in the model's order.
    pub inputs: Vec<Port>,
    /// Outputs in the model's order.
    pub outputs: Vec<Port>,
}

impl KernelGraph {
    /// Packs every node for `target`.
    pub fn pack(&mut self, target: Target) {
        for node in &mut self.nodes {
            let constants = std::mem::take(&mut node.constants);
            let constants = constants.into_iter().map(Cow::Owned).collect();
            let packed = repack::pack(target, &mut node.op, constants);
            node.constants = packed.into_iter().map(Cow::into_owned).collect();
        }
    }
}

/// One kernel call.
#[derive(Clone, Debug)]
pub struct KernelNode {
    /// Name of the last source node that it computes.
    pub name: String,
    /// The kernel.
    pub op: Op,
    /// The bytes of its constants.
    pub constants: Vec<Vec<u8>>,
    /// Operands.
    pub inputs: Vec<EdgeId>,
    /// Results.
    pub outputs: Vec<EdgeId>,
}

/// An activation or constant in memory.
#[derive(Clone, Debug)]
pub struct KernelEdge {
    /// Its elements.
    pub extent: Extent,
    /// Scale and zero point; 1 and 0 for what is not quantized.
    pub scale: f32,
    /// The zero point.
    pub zero: i8,
    /// Its bytes, if it is a constant.
    pub constant: Option<Vec<u8>>,
}

/// Chooses the kernel of every node. In `graph` every node's real edges are all quantized or all
/// float, as [`crate::precision`] makes them.
pub fn select(graph: &Graph) -> Result<KernelGraph, CompileError> {
    let mut nodes = Vec::new();
    for node in &graph.nodes {
        let selected =
            kernel(graph, node).map_err(|refusal| refusal.at(&node.name, &node.source_op))?;
        nodes.push(selected);
    }
    Ok(KernelGraph {
        nodes,
        edges: graph.edges.iter().map(edge).collect(),
        inputs: graph.inputs.clone(),
        outputs: graph.outputs.clone(),
    })
}

fn kernel(graph: &Graph, node: &Node) -> Result<KernelNode, Refusal> {
    let edges = Edges { graph, node };
    require_reals(graph, node)?;
    let mut real = node.inputs.iter().chain(&node.outputs);
    let is_float = real.any(|&edge| graph.edge(edge).is_float());
    let Kernel {
        op,
        constants,
        inputs,
        outputs,
    } = if is_float {
        node.op.get().float(&edges)?
    } else {
        node.op.get().integer(&edges)?
    };
    let selected = KernelNode {
        name: node.name.clone(),
        op,
        constants,
        inputs,
        outputs,
    };
    fits(graph, &selected)?;
    Ok(selected)
}

/// Refuses integers and truth values where the operator is of real numbers.
fn require_reals(graph: &Graph, node: &Node) -> Result<(), Refusal> {
    let mut edges = node.inputs.iter().chain(&node.outputs);
    let other = edges.find(|&&edge| graph.edge(edge).kind != Kind::Real);
    match other {
        Some(&edge) if node.op.get().is_of_reals() => Err(Refusal::Type {
            value: graph.edge(edge).name.clone(),
            found: match graph.edge(edge).kind {
                Kind::Truth => "a truth value",
                _ => "an integer",
            },
        }),
        _ => Ok(()),
    }
}

/// Checks that the kernel's operands and results are those that the edges hold. A view may end
/// before its operand does.
fn fits(graph: &Graph, node: &KernelNode) -> Result<(), Refusal> {
    let operator = node.op.operator();
    let (reads, writes) = (operator.inputs(), operator.outputs());
    let have = |edges: &[EdgeId]| -> Vec<Extent> {
        edges.iter().map(|&id| extent(graph.edge(id))).collect()
    };
    let (inputs, outputs) = (have(&node.inputs), have(&node.outputs));
    let holds =
        |(have, want): (&Extent, &Extent)| have.element == want.element && have.len >= want.len;
    let fits = inputs.len() == reads.len()
        && inputs.iter().zip(&reads).all(holds)
        && outputs[..] == writes[..];
    if fits {
        return Ok(());
    }
    let lens = inputs.iter().chain(&outputs).map(|extent| vec![extent.len]);
    Err(Refusal::Shape {
        found: lens.collect(),
    })
}

fn extent(edge: &Edge) -> Extent {
    Extent::new(edge.element(), edge.len)
}

fn edge(edge: &Edge) -> KernelEdge {
    let (scale, zero) = edge.quantization.map_or((1.0, 0), |quantization| {
        (quantization.scale, quantization.zero)
    });
    KernelEdge {
        extent: extent(edge),
        scale,
        zero,
        constant: edge.constant.as_ref().map(|it| bytes(it, edge)),
    }
}

/// The bytes of a constant operand as its edge holds it.
fn bytes(constant: &Constant, edge: &Edge) -> Vec<u8> {
    match (constant, edge.quantization) {
        (Constant::Real(values), Some(quantization)) => {
            let quantize = |&value: &f32| quantization.quantize(value.into()).cast_unsigned();
            values.iter().map(quantize).collect()
        }
        (Constant::Real(values), None) => bytemuck::cast_slice(values).to_vec(),
        (Constant::Integer(values), _) => bytemuck::cast_slice(values).to_vec(),
        (Constant::Truth(values), _) => values.iter().map(|&value| value.into()).collect(),
    }
}
