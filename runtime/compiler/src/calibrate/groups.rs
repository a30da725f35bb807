//! Which edges become int8, and which of them must have one quantization.

use crate::graph::{EdgeId, Graph, Kind, Node, Quantization};
use crate::ops::{Edges, Op};

/// The edges that become int8, in groups of one quantization each.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    /// The group of each edge, by [`EdgeId`]; none of those that stay what they are.
    pub of_edge: Vec<Option<usize>>,
    /// The quantization of each group where an operator knows it.
    pub fixed: Vec<Option<Quantization>>,
    /// Whether an input of the model is in each group.
    pub is_input: Vec<bool>,
    /// The nodes on real numbers that have no integer form.
    pub float_nodes: Vec<usize>,
}

/// What an operator is asked with whether it could be an integer one.
const ANY: Quantization = Quantization {
    scale: 1.0 / 64.0,
    zero: 0,
};

impl Groups {
    /// The groups of `graph`, whose weights are int8 already and whose real edges are all float.
    pub fn new(graph: &Graph) -> Self {
        let mut same = graph.clone();
        let mut different = graph.clone();
        for (index, edge) in same.edges.iter_mut().enumerate() {
            if edge.kind == Kind::Real {
                edge.quantization = Some(ANY);
                let scale = ANY.scale * (1.0 + index as f32 / 4096.0);
                different.edges[index].quantization = Some(Quantization { scale, ..ANY });
            }
        }
        let mut sets = Sets::new(graph.edges.len());
        let mut wanted = vec![false; graph.edges.len()];
        let mut fixed = vec![None; graph.edges.len()];
        let mut float_nodes = Vec::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            let real = real_edges(graph, node);
            let op = node.op.get();
            if !op.has_integer(&Edges { graph: &same, node }) {
                if !real.is_empty() {
                    float_nodes.push(index);
                }
                continue;
            }
            let around = Edges {
                graph: &different,
                node,
            };
            // A mean or maximum keeps what it reads; a choice is only made among equals; operands that
            // lie in one result are better rounded once.
            let alike = op.keeps_quantization() || op.aligns_quantization();
            if alike || !op.has_integer(&around) {
                for pair in real.windows(2) {
                    sets.join(pair[0].0, pair[1].0);
                }
            }
            if let Some(known) = op.fixed_quantization() {
                for output in node.outputs.iter().filter(|it| real.contains(it)) {
                    fixed[output.0] = Some(known);
                }
            }
            if computes(node) {
                for edge in real {
                    wanted[edge.0] = true;
                }
            }
        }
        Self::collected(graph, sets, &wanted, &fixed, float_nodes)
    }

    fn collected(
        graph: &Graph,
        mut sets: Sets,
        wanted: &[bool],
        fixed: &[Option<Quantization>],
        float_nodes: Vec<usize>,
    ) -> Self {
        let count = graph.edges.len();
        let mut is_wanted = vec![false; count];
        for (edge, &wanted) in wanted.iter().enumerate() {
            let root = sets.root(edge);
            is_wanted[root] |= wanted;
        }
        let mut groups = Self {
            of_edge: vec![None; count],
            fixed: Vec::new(),
            is_input: Vec::new(),
            float_nodes,
        };
        let mut group_of_root = vec![None; count];
        for (edge, &fixed) in fixed.iter().enumerate() {
            let root = sets.root(edge);
            if !is_wanted[root] || graph.edges[edge].kind != Kind::Real {
                continue;
            }
            let group = *group_of_root[root].get_or_insert_with(|| {
                groups.fixed.push(None);
                groups.is_input.push(false);
                groups.fixed.len() - 1
            });
            groups.of_edge[edge] = Some(group);
            groups.fixed[group] = groups.fixed[group].or(fixed);
            let is_input = graph.inputs.iter().any(|port| port.edge.0 == edge);
            groups.is_input[group] |= is_input;
        }
        groups
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.fixed.len()
    }

    /// `template` with the quantization of each group.
    pub fn quantized(&self, template: &Graph, quantizations: &[Quantization]) -> Graph {
        let mut graph = template.clone();
        for (edge, group) in graph.edges.iter_mut().zip(&self.of_edge) {
            edge.quantization = group.map(|group| quantizations[group]);
        }
        graph
    }
}

/// Whether `node` does more than move elements, so that int8 is worth a conversion.
fn computes(node: &Node) -> bool {
    !node.op.get().keeps_quantization() || matches!(node.op, Op::MaxPool(_) | Op::AveragePool(_))
}

/// The edges around `node` that hold real numbers.
fn real_edges(graph: &Graph, node: &Node) -> Vec<EdgeId> {
    let edges = node.inputs.iter().chain(&node.outputs);
    let real = edges.filter(|edge| graph.edge(**edge).kind == Kind::Real);
    real.copied().collect()
}

/// Disjoint sets of indices.
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        // The lower index is the root, so that groups do not depend on the order of joining.
        self.0[a.max(b)] = a.min(b);
    }
}
