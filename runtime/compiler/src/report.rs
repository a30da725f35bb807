//! What became of a model: every source node's fate, and what a run costs.

use crate::calibrate::QuantizationReport;
use crate::graph::{EdgeId, Layout};
use crate::import::source::{Became, Origin};
use crate::planner::MemoryPlan;
use crate::select::KernelGraph;
use microtome_plan::ModelType;
use std::collections::HashMap;
use std::fmt;

/// What a compilation did and what its plan needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// One entry a node of the source model, in its order.
    pub nodes: Vec<NodeReport>,
    /// Multiply–accumulates of one run.
    pub macs: usize,
    /// Bytes of arena.
    pub arena_bytes: usize,
    /// The largest live set of the plan's order of steps: no placement needs less.
    pub arena_lower_bound_bytes: usize,
    /// Bytes of the steps' constants: weights, biases, factors, tables.
    pub constants_bytes: usize,
    /// Where the plan is not exactly the model.
    pub notes: Vec<Note>,
    /// What quantization cost, where this compiler did it.
    pub quantization: Option<QuantizationReport>,
    /// The results of steps that are tensors of the source model, in the order of the steps.
    pub values: Vec<StepValue>,
}

/// A tensor of the source model that a step makes.
#[derive(Clone, Debug, PartialEq)]
pub struct StepValue {
    /// The source model's name of it.
    pub name: String,
    /// The step.
    pub step: usize,
    /// Which of the step's results it is.
    pub output: usize,
    /// Its axes in the model's own order.
    pub dims: Vec<usize>,
    /// Its axes in the order in which the arena has them, outermost first.
    pub order: Vec<usize>,
    /// The type that the model gives it.
    pub model_type: ModelType,
    /// The zero point of quantized values; 0 for all others.
    pub zero: i8,
    /// Scale of quantized values; 1 for all others.
    pub scale: f32,
}

/// A difference between the model and what is compiled of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// Activations are no longer rounded to the scales that the model would find as it runs.
    Dynamic {
        /// Name of the product's node.
        node: String,
    },
    /// Asymmetric weights did not fit symmetric int8, and were rounded again.
    WeightsRounded {
        /// Name of the weights.
        weights: String,
        /// Output channels of which weights changed.
        channels: usize,
        /// All output channels.
        channels_all: usize,
        /// The largest change of a weight, in steps of the model's own scale.
        error_steps: f32,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dynamic { node } => write!(
                f,
                "'{node}' was quantized as it runs; here its weights are int8 and its activations \
                 are not rounded"
            ),
            Self::WeightsRounded {
                weights,
                channels,
                channels_all,
                error_steps,
            } => write!(
                f,
                "the asymmetric weights '{weights}' were rounded to symmetric int8 in {channels} \
                 of {channels_all} channels, by up to {error_steps:.3} of their step; quantize \
                 weights symmetrically to keep them"
            ),
        }
    }
}

/// What became of one node of the source model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    /// The node's name.
    pub name: String,
    /// ONNX's name of its operator.
    pub op: String,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is this step.
    Step(usize),
    /// This step computes it as well.
    FusedInto(usize),
    /// It became a constant, or the quantization of an input.
    Folded,
    /// Its result is its operand, perhaps with other axes; nothing runs.
    Aliased,
    /// No output depends on it.
    Unused,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step) => write!(f, "step {step}"),
            Self::FusedInto(step) => write!(f, "fused into step {step}"),
            Self::Folded => f.write_str("folded"),
            Self::Aliased => f.write_str("no copy"),
            Self::Unused => f.write_str("unused"),
        }
    }
}

impl Report {
    pub(crate) fn new(
        nodes: Vec<NodeReport>,
        notes: Vec<Note>,
        graph: &KernelGraph,
        memory: &MemoryPlan,
    ) -> Self {
        let operators = || graph.nodes.iter().map(|node| node.op.operator());
        let constants = graph.nodes.iter().flat_map(|node| &node.constants);
        Self {
            nodes,
            macs: operators().map(|operator| operator.macs()).sum(),
            arena_bytes: memory.arena_bytes,
            arena_lower_bound_bytes: memory.lower_bound_bytes,
            constants_bytes: constants.map(Vec::len).sum(),
            notes,
            quantization: None,
            values: Vec::new(),
        }
    }

    /// The same, with those of `values` that are results of steps.
    pub(crate) fn with_values(mut self, values: Vec<EdgeValue>, graph: &KernelGraph) -> Self {
        let mut of_edge: HashMap<EdgeId, EdgeValue> = HashMap::new();
        for value in values {
            // The last tensor that an edge is has all that was fused into its node.
            of_edge.insert(value.edge, value);
        }
        for (step, node) in graph.nodes.iter().enumerate() {
            for (output, edge) in node.outputs.iter().enumerate() {
                let Some(value) = of_edge.remove(edge) else {
                    continue;
                };
                self.values.push(StepValue {
                    name: value.name,
                    step,
                    output,
                    dims: value.layout.dims,
                    order: value.layout.order,
                    model_type: value.model_type,
                    zero: graph.edges[edge.0].zero,
                    scale: graph.edges[edge.0].scale,
                });
            }
        }
        self
    }
}

/// A tensor of the source model that an edge of the graph is.
#[derive(Clone, Debug)]
pub(crate) struct EdgeValue {
    pub name: String,
    pub edge: EdgeId,
    /// How the edge's memory is the tensor.
    pub layout: Layout,
    pub model_type: ModelType,
}

/// The reports of the file's operators, given the fate of each node that import made of them.
pub(crate) fn by_origin(origins: &[Origin], fates: &[Fate]) -> Vec<NodeReport> {
    let fate = |origin: &Origin| match &origin.became {
        Became::Nodes(range) => whole(fates.get(range.clone()).unwrap_or_default()),
        Became::PartOf(other) => match origins.get(*other).map(|other| &other.became) {
            Some(Became::Nodes(range)) => {
                match whole(fates.get(range.clone()).unwrap_or_default()) {
                    Fate::Step(step) => Fate::FusedInto(step),
                    other => other,
                }
            }
            _ => Fate::Unused,
        },
    };
    let report = |origin: &Origin| NodeReport {
        name: origin.name.clone(),
        op: origin.op.clone(),
        fate: fate(origin),
    };
    origins.iter().map(report).collect()
}

/// The fate of an operator whose parts have these: what runs counts more than what does not.
fn whole(parts: &[Fate]) -> Fate {
    let rank = |fate: &&Fate| match fate {
        Fate::Step(_) => 0,
        Fate::FusedInto(_) => 1,
        Fate::Aliased => 2,
        Fate::Folded => 3,
        Fate::Unused => 4,
    };
    parts
        .iter()
        .min_by_key(rank)
        .copied()
        .unwrap_or(Fate::Unused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(name: &str, became: Became) -> Origin {
        Origin {
            name: name.into(),
            op: "Op".into(),
            became,
        }
    }

    #[test]
    fn one_report_an_operator_of_the_file_whatever_it_became() {
        let origins = [
            origin("quantize", Became::PartOf(1)),
            origin("product", Became::Nodes(0..2)),
            origin("pool", Became::Nodes(2..5)),
            origin("dead", Became::Nodes(5..5)),
        ];
        let fates = [
            Fate::Folded,
            Fate::Step(0),
            Fate::Aliased,
            Fate::Step(1),
            Fate::FusedInto(1),
        ];
        let reports = by_origin(&origins, &fates);
        let found: Vec<_> = reports.iter().map(|it| (&*it.name, it.fate)).collect();
        let wanted = [
            ("quantize", Fate::FusedInto(0)),
            ("product", Fate::Step(0)),
            ("pool", Fate::Step(1)),
            ("dead", Fate::Unused),
        ];
        assert_eq!(found, wanted);
    }
}
