//! From source operators to the graph: one file an operator, one line in [`LOWERINGS`].
//!
//! A lowering adds a node, fuses into the node before it, or only gives a value another name or
//! layout; the [`Fate`] that it returns says which. What an operator may assume of its operands
//! is in [`operand`].

mod add;
mod average_pool;
mod clamp;
mod conv;
mod dense;
mod dequantize_linear;
mod identity;
mod max_pool;
mod operand;
mod pad;
mod port;
mod quantize_linear;
mod quantizer;
mod reshape;
mod softmax;
mod transpose;
mod window;

use crate::error::{CompileError, Refusal};
use crate::graph::{Graph, Layout, Node, NodeId, Op, Quantization};
use crate::import::source::{SourceModel, SourceNode, ValueId, origin_of};
use crate::report::{Fate, NodeReport, by_origin};
use operand::{Activation, Binding, Stage};

type Lower = fn(&mut Lowering<'_>, &SourceNode) -> Result<Fate, Refusal>;

/// Every ONNX operator that has a lowering.
const LOWERINGS: &[(&str, Lower)] = &[
    ("Add", add::lower),
    ("AveragePool", average_pool::lower),
    ("Clip", clamp::lower_clip),
    ("Conv", conv::lower),
    ("DequantizeLinear", dequantize_linear::lower),
    ("Dropout", identity::lower),
    ("Flatten", reshape::lower),
    ("Gemm", dense::lower_gemm),
    ("GlobalAveragePool", average_pool::lower_global),
    ("Identity", identity::lower),
    ("MatMul", dense::lower_matmul),
    ("MaxPool", max_pool::lower),
    ("Pad", pad::lower),
    ("QuantizeLinear", quantize_linear::lower),
    ("ReduceMean", average_pool::lower_reduce_mean),
    ("Relu", clamp::lower_relu),
    ("Reshape", reshape::lower),
    ("Softmax", softmax::lower),
    ("Squeeze", reshape::lower),
    ("Transpose", transpose::lower),
    ("Unsqueeze", reshape::lower),
];

/// Operators that only compute on constants and shapes; import has their values.
const FOLDED: &[&str] = &["Cast", "Concat", "Constant", "Gather", "Shape", "Slice"];

/// Whether an ONNX operator can become part of a plan.
pub fn knows(op: &str) -> bool {
    FOLDED.contains(&op) || lowering(op).is_some()
}

fn lowering(op: &str) -> Option<Lower> {
    let mut known = LOWERINGS.iter();
    known.find(|(name, _)| *name == op).map(|&(_, lower)| lower)
}

/// A graph, and what became of each source node in it.
#[derive(Debug)]
pub struct Lowered {
    /// The graph.
    pub graph: Graph,
    /// One report an operator of the file, in its order; steps are indices of the graph's nodes.
    pub nodes: Vec<NodeReport>,
}

/// Lowers every operator that an output depends on.
pub fn lower(source: &SourceModel) -> Result<Lowered, CompileError> {
    let mut lowering = Lowering::new(source);
    lowering.bind_inputs()?;
    let live = live_nodes(source);
    let mut fates = Vec::new();
    for (index, (node, live)) in source.nodes.iter().zip(live).enumerate() {
        let fate = if live {
            lowering.lower(node).map_err(|refusal| {
                let origin = origin_of(&source.origins, index);
                refusal.at(&node.name, origin.map_or(&node.op, |origin| &origin.op))
            })?
        } else {
            Fate::Unused
        };
        fates.push(fate);
    }
    lowering.bind_outputs()?;
    Ok(Lowered {
        graph: lowering.graph,
        nodes: by_origin(&source.origins, &fates),
    })
}

fn live_nodes(source: &SourceModel) -> Vec<bool> {
    let mut live_values = vec![false; source.values.len()];
    for output in &source.outputs {
        live_values[output.0] = true;
    }
    let mut live = vec![false; source.nodes.len()];
    for (index, node) in source.nodes.iter().enumerate().rev() {
        live[index] = node.outputs.iter().any(|output| live_values[output.0]);
        if live[index] {
            for input in node.inputs.iter().flatten() {
                live_values[input.0] = true;
            }
        }
    }
    live
}

/// The graph under construction, and what each source value is in it.
struct Lowering<'a> {
    source: &'a SourceModel,
    graph: Graph,
    bindings: Vec<Option<Binding>>,
    /// Uses of each source value, by nodes and as an output.
    uses: Vec<usize>,
}

impl<'a> Lowering<'a> {
    fn new(source: &'a SourceModel) -> Self {
        let mut uses = vec![0; source.values.len()];
        let operands = source.nodes.iter().flat_map(|node| node.inputs.iter());
        for value in operands.flatten().chain(&source.outputs) {
            uses[value.0] += 1;
        }
        Self {
            source,
            graph: Graph::default(),
            bindings: vec![None; source.values.len()],
            uses,
        }
    }

    fn lower(&mut self, node: &SourceNode) -> Result<Fate, Refusal> {
        // The float value of quantized weights is known too, but it is not what is wanted.
        let is_known = node.op != "DequantizeLinear"
            && node
                .outputs
                .iter()
                .all(|&output| self.source.value(output).constant.is_some());
        if is_known {
            return Ok(Fate::Folded);
        }
        let lower = lowering(&node.op).ok_or(Refusal::Operator)?;
        lower(self, node)
    }

    /// Adds the node for `node` that reads `inputs`; its output is real until it is quantized,
    /// unless the operator itself knows its quantization.
    fn add_node(
        &mut self,
        node: &SourceNode,
        op: Op,
        inputs: &[&Activation],
        layout: Layout,
        quantization: Option<Quantization>,
    ) -> Result<Fate, Refusal> {
        if layout.len() == 0 {
            return Err(Refusal::Shape {
                found: vec![layout.dims],
            });
        }
        let output = self.output(node)?;
        let edge = self
            .graph
            .add_edge(&self.source.value(output).name, layout.len());
        self.graph.edge_mut(edge).quantization = quantization;
        let NodeId(step) = self.graph.add_node(Node {
            name: node.name.clone(),
            source_op: node.op.clone(),
            op,
            inputs: inputs.iter().map(|input| input.edge).collect(),
            output: edge,
        });
        self.bind(
            output,
            Activation {
                edge,
                layout,
                stage: Stage::Real,
            },
        );
        Ok(Fate::Step(step))
    }

    /// Lets the result of `node` be `activation`.
    fn alias(&mut self, node: &SourceNode, activation: Activation) -> Result<Fate, Refusal> {
        let output = self.output(node)?;
        self.bind(output, activation);
        Ok(Fate::Aliased)
    }

    /// Lets the result of `node`, an activation, stand for exactly its int8 values.
    fn mark_dequantized(&mut self, node: &SourceNode) -> Result<(), Refusal> {
        let output = self.output(node)?;
        let activation = self.bound_activation(output)?;
        self.bind(
            output,
            Activation {
                stage: Stage::Dequantized,
                ..activation
            },
        );
        Ok(())
    }

    /// The activation that `value` has become.
    fn bound_activation(&self, value: ValueId) -> Result<Activation, Refusal> {
        match &self.bindings[value.0] {
            Some(Binding::Activation(activation)) => Ok(activation.clone()),
            _ => Err(Refusal::NotAnActivation {
                value: self.source.value(value).name.clone(),
            }),
        }
    }

    fn bind(&mut self, value: ValueId, activation: Activation) {
        self.bindings[value.0] = Some(Binding::Activation(activation));
    }
}
