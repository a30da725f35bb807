//! From source operators to the graph: one file an operator, one line in [`LOWERINGS`].
//!
//! A lowering adds a node, fuses into the node before it, or only gives a value another name or
//! layout; the [`Fate`] that it returns says which. What an operator may assume of its operands
//! is in [`operand`].

mod add;
mod along;
mod average_pool;
mod axes;
mod batch_norm;
mod clamp;
mod concat;
mod conv;
mod conv_transpose;
mod dense;
mod depth_to_space;
mod dequantize_linear;
mod elementwise;
mod expand;
mod gather;
mod identity;
mod max_pool;
mod ml;
mod norm;
mod one_hot;
mod operand;
mod pad;
mod parameters;
mod port;
mod product;
mod quantize_linear;
mod quantizer;
mod recurrent;
mod reduce;
mod reshape;
mod resize;
mod scatter;
mod slice;
mod softmax;
mod transpose;
mod trilu;
mod unary;
mod window;

use crate::error::{CompileError, Refusal};
use crate::graph::{EdgeId, Graph, Kind, Layout, Node, NodeId, Op};
use crate::import::source::{Element, SourceModel, SourceNode, ValueId, origin_of};
use crate::report::{EdgeValue, Fate, NodeReport, by_origin};
use microtome_plan::ModelType;
use operand::{Activation, Binding, Stage};
use std::collections::HashMap;

type Lower = fn(&mut Lowering<'_>, &SourceNode) -> Result<Fate, Refusal>;

/// Every ONNX operator that has a lowering.
const LOWERINGS: &[(&str, Lower)] = &[
    ("Abs", unary::lower),
    ("Acos", unary::lower),
    ("Acosh", unary::lower),
    ("Add", add::lower),
    ("And", elementwise::lower_binary),
    ("ArgMax", along::lower_arg_max),
    ("ArgMin", along::lower_arg_min),
    ("Asin", unary::lower),
    ("Asinh", unary::lower),
    ("Atan", unary::lower),
    ("Atanh", unary::lower),
    ("AveragePool", average_pool::lower),
    ("BatchNormalization", batch_norm::lower),
    ("BitShift", elementwise::lower_binary),
    ("BitwiseAnd", elementwise::lower_binary),
    ("BitwiseOr", elementwise::lower_binary),
    ("BitwiseXor", elementwise::lower_binary),
    ("Cast", elementwise::lower_cast),
    ("CastLike", elementwise::lower_cast),
    ("Ceil", unary::lower),
    ("Celu", unary::lower),
    ("Clip", clamp::lower_clip),
    ("Concat", concat::lower),
    ("Conv", conv::lower),
    ("ConvTranspose", conv_transpose::lower),
    ("Cos", unary::lower),
    ("Cosh", unary::lower),
    ("CumSum", along::lower_cum_sum),
    ("DepthToSpace", depth_to_space::lower),
    ("DequantizeLinear", dequantize_linear::lower),
    ("Div", elementwise::lower_binary),
    ("Dropout", identity::lower),
    ("Einsum", product::lower_einsum),
    ("Elu", unary::lower),
    ("Equal", elementwise::lower_binary),
    ("Erf", unary::lower),
    ("Exp", unary::lower),
    ("Expand", expand::lower),
    ("Flatten", reshape::lower),
    ("Floor", unary::lower),
    ("GRU", recurrent::lower_gru),
    ("Gather", gather::lower),
    ("GatherElements", gather::lower_elements),
    ("GatherND", gather::lower_nd),
    ("Gelu", unary::lower),
    ("Gemm", dense::lower_gemm),
    ("GlobalAveragePool", reduce::lower_global_average),
    ("GlobalLpPool", reduce::lower_global_lp),
    ("GlobalMaxPool", reduce::lower_global_max),
    ("Greater", elementwise::lower_binary),
    ("GreaterOrEqual", elementwise::lower_binary),
    ("GroupNormalization", norm::lower_group),
    ("HardSigmoid", unary::lower),
    ("HardSwish", unary::lower),
    ("Hardmax", softmax::lower_hardmax),
    ("Identity", identity::lower),
    ("InstanceNormalization", norm::lower_instance),
    ("IsInf", unary::lower_predicate),
    ("IsNaN", unary::lower_predicate),
    ("LRN", norm::lower_lrn),
    ("LSTM", recurrent::lower_lstm),
    ("LayerNormalization", norm::lower_layer),
    ("LeakyRelu", unary::lower),
    ("Less", elementwise::lower_binary),
    ("LessOrEqual", elementwise::lower_binary),
    ("Log", unary::lower),
    ("LogSoftmax", softmax::lower_log),
    ("LpNormalization", norm::lower_lp),
    ("LpPool", max_pool::lower_lp),
    ("MatMul", dense::lower_matmul),
    ("Max", elementwise::lower_variadic),
    ("MaxPool", max_pool::lower),
    ("Mean", elementwise::lower_variadic),
    ("MeanVarianceNormalization", norm::lower_mean_variance),
    ("Min", elementwise::lower_variadic),
    ("Mish", unary::lower),
    ("Mod", elementwise::lower_binary),
    ("Mul", elementwise::lower_binary),
    ("Neg", unary::lower),
    ("Not", elementwise::lower_not),
    ("OneHot", one_hot::lower),
    ("Or", elementwise::lower_binary),
    ("PRelu", elementwise::lower_binary),
    ("Pad", pad::lower),
    ("Pow", elementwise::lower_binary),
    ("QuantizeLinear", quantize_linear::lower),
    ("RMSNormalization", norm::lower_rms),
    ("RNN", recurrent::lower_rnn),
    ("Reciprocal", unary::lower),
    ("ReduceL1", reduce::lower),
    ("ReduceL2", reduce::lower),
    ("ReduceLogSum", reduce::lower),
    ("ReduceLogSumExp", reduce::lower),
    ("ReduceMax", reduce::lower),
    ("ReduceMean", reduce::lower),
    ("ReduceMin", reduce::lower),
    ("ReduceProd", reduce::lower),
    ("ReduceSum", reduce::lower),
    ("ReduceSumSquare", reduce::lower),
    ("Relu", clamp::lower_relu),
    ("Reshape", reshape::lower),
    ("Resize", resize::lower),
    ("Round", unary::lower),
    ("Scatter", scatter::lower_elements),
    ("ScatterElements", scatter::lower_elements),
    ("ScatterND", scatter::lower_nd),
    ("Selu", unary::lower),
    ("Shrink", unary::lower),
    ("Sigmoid", unary::lower),
    ("Sign", unary::lower),
    ("SimplifiedLayerNormalization", norm::lower_rms),
    ("Sin", unary::lower),
    ("Sinh", unary::lower),
    ("Slice", slice::lower),
    ("Softmax", softmax::lower),
    ("Softplus", unary::lower),
    ("Softsign", unary::lower),
    ("SpaceToDepth", depth_to_space::lower_reverse),
    ("Split", slice::lower_split),
    ("Sqrt", unary::lower),
    ("Squeeze", reshape::lower),
    ("Sub", elementwise::lower_binary),
    ("Sum", elementwise::lower_variadic),
    ("Swish", unary::lower),
    ("Tan", unary::lower),
    ("Tanh", unary::lower),
    ("ThresholdedRelu", unary::lower),
    ("Tile", expand::lower_tile),
    ("TopK", along::lower_top_k),
    ("Transpose", transpose::lower),
    ("Trilu", trilu::lower),
    ("Unsqueeze", reshape::lower),
    ("Upsample", resize::lower),
    ("Where", elementwise::lower_where),
    ("Xor", elementwise::lower_binary),
    ("LinearClassifier", ml::lower_classifier),
    ("LinearRegressor", ml::lower_regressor),
    ("Scaler", ml::lower_scaler),
    ("Normalizer", ml::lower_normalizer),
    ("TreeEnsembleClassifier", ml::lower_tree_classifier),
    ("TreeEnsembleRegressor", ml::lower_tree_regressor),
];

/// Operators that only compute on constants and shapes; import has their values.
const FOLDED: &[&str] = &[
    "Constant",
    "ConstantOfShape",
    "EyeLike",
    "Range",
    "Shape",
    "Size",
];

/// The names of all operators that have a lowering.
pub fn lowered() -> impl Iterator<Item = &'static str> {
    LOWERINGS.iter().map(|&(name, _)| name)
}

/// The names of all operators that are known where they compute on constants and shapes alone.
pub fn folded() -> impl Iterator<Item = &'static str> {
    FOLDED.iter().copied()
}

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
    /// The tensors of the file that edges of the graph are, in the order of the nodes that make
    /// them.
    pub values: Vec<EdgeValue>,
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
    let values = lowering.edge_values();
    lowering.bind_outputs()?;
    Ok(Lowered {
        values,
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

    fn edge_values(&self) -> Vec<EdgeValue> {
        let outputs = self.source.nodes.iter().flat_map(|node| &node.outputs);
        let value = |&id: &ValueId| {
            let Some(Binding::Activation(activation)) = &self.bindings[id.0] else {
                return None;
            };
            let edge = self.graph.edge(activation.edge);
            let source = self.source.value(id);
            let model_type = match (activation.stage, edge.kind) {
                (Stage::Quantized, _) if source.element == Element::U8 => ModelType::U8,
                (Stage::Quantized, _) => ModelType::I8,
                (Stage::Real, Kind::Real) => ModelType::F32,
                (Stage::Real, Kind::Integer) => ModelType::I32,
                (Stage::Real, Kind::Truth) => ModelType::Bool,
                (Stage::Real, Kind::Fixed) => return None,
            };
            (activation.layout.len() == edge.len).then(|| EdgeValue {
                name: source.name.clone(),
                edge: activation.edge,
                layout: activation.layout.clone(),
                model_type,
            })
        };
        outputs.flatten().filter_map(value).collect()
    }

    fn bind(&mut self, value: ValueId, activation: Activation) {
        self.bindings[value.0] = Some(Binding::Activation(activation));
    }
}
