//! From source operators to the graph: one file an operator, one line in [`LOWERINGS`].
//!
//! A lowering adds a node, fuses into the node before it, or only gives a value another name or
//! layout; the [`Fate`] that it returns says which. What an operator may assume of its operands
//! is in [`operand`].

mod add;
mod average_pool;
mod batch_norm;
mod clamp;
mod conv;
mod conv_transpose;
mod dense;
mod dequantize_linear;
mod identity;
mod max_pool;
mod norm;
mod operand;
mod pad;
mod parameters;
mod port;
mod product;
mod quantize_linear;
mod quantizer;
mod recurrent;
mod reshape;
mod softmax;
mod transpose;
mod window;

use crate::error::{CompileError, Refusal};
use crate::graph::{EdgeId, Graph, Kind, Layout, Node, NodeId, Op};
use crate::import::source::{SourceModel, SourceNode, ValueId};
use crate::report::{Fate, NodeReport};
use operand::{Activation, Binding};
use std::collections::HashMap;

type Lower = fn(&mut Lowering<'_>, &SourceNode) -> Result<Fate, Refusal>;

/// Every ONNX operator that has a lowering.
const LOWERINGS: &[(&str, Lower)] = &[
    ("Add", add::lower),
    ("AveragePool", average_pool::lower),
    ("BatchNormalization", batch_norm::lower),
    ("Clip", clamp::lower_clip),
    ("Conv", conv::lower),
    ("ConvTranspose", conv_transpose::lower),
    ("DequantizeLinear", dequantize_linear::lower),
    ("Dropout", identity::lower),
    ("Einsum", product::lower_einsum),
    ("Flatten", reshape::lower),
    ("Gemm", dense::lower_gemm),
    ("GlobalAveragePool", average_pool::lower_global),
    ("GroupNormalization", norm::lower_group),
    ("GRU", recurrent::lower_gru),
    ("Hardmax", softmax::lower_hardmax),
    ("Identity", identity::lower),
    ("InstanceNormalization", norm::lower_instance),
    ("LayerNormalization", norm::lower_layer),
    ("LogSoftmax", softmax::lower_log),
    ("LpNormalization", norm::lower_lp),
    ("LRN", norm::lower_lrn),
    ("LSTM", recurrent::lower_lstm),
    ("MatMul", dense::lower_matmul),
    ("MaxPool", max_pool::lower),
    ("MeanVarianceNormalization", norm::lower_mean_variance),
    ("Pad", pad::lower),
    ("QuantizeLinear", quantize_linear::lower),
    ("ReduceMean", average_pool::lower_reduce_mean),
    ("Relu", clamp::lower_relu),
    ("Reshape", reshape::lower),
    ("RMSNormalization", norm::lower_rms),
    ("RNN", recurrent::lower_rnn),
    ("SimplifiedLayerNormalization", norm::lower_rms),
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
    /// One report a source node, in the file's order; steps are indices of the graph's nodes.
    pub nodes: Vec<NodeReport>,
}

/// Lowers every operator that an output depends on.
pub fn lower(source: &SourceModel) -> Result<Lowered, CompileError> {
    let mut lowering = Lowering::new(source);
    lowering.bind_inputs()?;
    let live = live_nodes(source);
    let mut nodes = Vec::new();
    for (node, live) in source.nodes.iter().zip(live) {
        let fate = if live {
            lowering
                .lower(node)
                .map_err(|refusal| refusal.at(&node.name, &node.op))?
        } else {
            Fate::Unused
        };
        nodes.push(NodeReport {
            name: node.name.clone(),
            op: node.op.clone(),
            fate,
        });
    }
    lowering.bind_outputs()?;
    Ok(Lowered {
        graph: lowering.graph,
        nodes,
    })
}

fn live_nodes(source: &SourceModel) -> Vec<bool> {
    let mut live_values = vec![false; source.values.len()];
    for output in &source.outputs {
        live_values[output.0] = true;
    }
    let mut live = vec![false; source.nodes.len()];
    for (index, node) in source.nodes.iter().enumerate().rev() {
        let mut outputs = node.outputs.iter().flatten();
        live[index] = outputs.any(|output| live_values[output.0]);
        if live[index] {
            for input in node.inputs.iter().flatten() {
                live_values[input.0] = true;
            }
        }
    }
    live
}

/// Operators whose result is their operand, whatever reads it: views, and clamps that fuse.
const TRANSPARENT: &[&str] = &[
    "Clip",
    "Dropout",
    "Flatten",
    "Identity",
    "Relu",
    "Reshape",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// For each value, whether quantizers alone read it, perhaps behind views and clamps: then its edge
/// itself can be quantized.
fn only_quantized(source: &SourceModel) -> Vec<bool> {
    let mut only = vec![true; source.values.len()];
    for output in &source.outputs {
        only[output.0] = false;
    }
    for node in source.nodes.iter().rev() {
        let mut outputs = node.outputs.iter().flatten();
        let passes = TRANSPARENT.contains(&&*node.op) && outputs.all(|output| only[output.0]);
        if node.op != "QuantizeLinear" && !passes {
            for input in node.inputs.iter().flatten() {
                only[input.0] = false;
            }
        }
    }
    only
}

/// The graph under construction, and what each source value is in it.
struct Lowering<'a> {
    source: &'a SourceModel,
    graph: Graph,
    bindings: Vec<Option<Binding>>,
    /// Uses of each source value, by nodes and as an output.
    uses: Vec<usize>,
    /// Whether nobody but quantizers reads each source value.
    only_quantized: Vec<bool>,
    /// The edge of each source constant that became an operand.
    constants: HashMap<ValueId, EdgeId>,
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
            only_quantized: only_quantized(source),
            constants: HashMap::new(),
        }
    }

    fn lower(&mut self, node: &SourceNode) -> Result<Fate, Refusal> {
        // The float value of quantized weights is known too, but it is not what is wanted.
        let is_known = node.op != "DequantizeLinear"
            && node
                .outputs
                .iter()
                .flatten()
                .all(|&output| self.source.value(output).constant.is_some());
        if is_known {
            return Ok(Fate::Folded);
        }
        let lower = lowering(&node.op).ok_or(Refusal::Operator)?;
        lower(self, node)
    }

    /// Adds the node for `node` that reads `inputs` and has one result of real numbers. The result
    /// is float until a quantizer says otherwise, unless the operator knows its quantization.
    fn add_node(
        &mut self,
        node: &SourceNode,
        op: impl Into<Op>,
        inputs: &[&Activation],
        layout: Layout,
    ) -> Result<Fate, Refusal> {
        self.add_node_of(node, Kind::Real, op, inputs, layout)
    }

    /// As [`Self::add_node`], with a result of any kind.
    fn add_node_of(
        &mut self,
        node: &SourceNode,
        kind: Kind,
        op: impl Into<Op>,
        inputs: &[&Activation],
        layout: Layout,
    ) -> Result<Fate, Refusal> {
        let outputs = [(kind, layout)];
        self.add_node_with(node, op, inputs, &outputs)
    }

    /// Adds a node with one result for each of `outputs`, those of `node` in their order.
    fn add_node_with(
        &mut self,
        node: &SourceNode,
        op: impl Into<Op>,
        inputs: &[&Activation],
        outputs: &[(Kind, Layout)],
    ) -> Result<Fate, Refusal> {
        let op = op.into();
        let first = inputs.first().map(|input| self.graph.edge(input.edge));
        let is_quantized = first.and_then(|edge| edge.quantization);
        let quantization = match is_quantized {
            Some(kept) if op.get().keeps_quantization() => Some(kept),
            Some(_) => op.get().fixed_quantization(),
            None => None,
        };
        let mut edges = Vec::new();
        for (index, (kind, layout)) in outputs.iter().enumerate() {
            if layout.len() == 0 {
                return Err(Refusal::Shape {
                    found: vec![layout.dims.clone()],
                });
            }
            let value = node.outputs.get(index).copied().flatten();
            let name = value.map_or(&node.name, |value| &self.source.value(value).name);
            let edge = self.graph.add_edge(name, *kind, layout.len());
            if *kind == Kind::Real {
                self.graph.edge_mut(edge).quantization = quantization;
            }
            edges.push(edge);
            if let Some(value) = value {
                self.bind(value, Activation::real(edge, layout.clone()));
            }
        }
        let NodeId(step) = self.graph.add_node(Node {
            name: node.name.clone(),
            source_op: node.op.clone(),
            op,
            inputs: inputs.iter().map(|input| input.edge).collect(),
            outputs: edges,
        });
        Ok(Fate::Step(step))
    }

    /// Adds a node that is no source node's result: a step on the way to one.
    fn add_step(
        &mut self,
        node: &SourceNode,
        kind: Kind,
        op: impl Into<Op>,
        inputs: &[&Activation],
        layout: Layout,
    ) -> Result<Activation, Refusal> {
        let anonymous = SourceNode {
            outputs: Vec::new(),
            ..node.clone()
        };
        self.add_node_of(&anonymous, kind, op, inputs, layout.clone())?;
        let edge = EdgeId(self.graph.edges.len() - 1);
        Ok(Activation::real(edge, layout))
    }

    /// Lets the result of `node` be `activation`.
    fn alias(&mut self, node: &SourceNode, activation: Activation) -> Result<Fate, Refusal> {
        let output = self.output(node)?;
        self.bind(output, activation);
        Ok(Fate::Aliased)
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
