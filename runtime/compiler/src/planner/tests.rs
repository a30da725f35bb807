//! Random graphs on a memory that remembers who wrote each word: no step finds another's bytes
//! where its operands and its state lie, in the first run or the second.

use super::{MemoryPlan, plan};
use crate::graph::{EdgeId, Layout, Port};
use crate::select::{KernelEdge, KernelGraph, KernelNode};
use microtome_kernels::data::{concat::Concat, delay::Delay};
use microtome_kernels::float::top_k::TopK;
use microtome_kernels::num::{Multiplier, Output};
use microtome_kernels::operator::OPERANDS_MAX;
use microtome_kernels::reference::{add::Add, clamp::Clamp};
use microtome_kernels::view::Broadcast;
use microtome_kernels::{Element, Extent};
use microtome_plan::{ArenaAt, ModelType, Op};
use proptest::prelude::*;
use proptest::sample::Index;

/// Who wrote a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Nobody,
    Edge(EdgeId),
    State(usize),
    Scratch,
}

/// What a node is drawn from: its kind, its operands, a size, whether an operand is a constant.
type Draw = (u8, Vec<Index>, usize, bool);

fn draws() -> impl Strategy<Value = (Vec<usize>, Vec<Draw>, Vec<Index>)> {
    let operands = prop::collection::vec(any::<Index>(), 1..4);
    let draw = (0..5_u8, operands, 1..40_usize, any::<bool>());
    (
        prop::collection::vec(1..60_usize, 1..3),
        prop::collection::vec(draw, 1..24),
        prop::collection::vec(any::<Index>(), 1..4),
    )
}

/// A graph in the making.
struct Builder(KernelGraph);

impl Builder {
    fn edge(&mut self, extent: Extent) -> EdgeId {
        self.0.edges.push(KernelEdge {
            extent,
            scale: 1.0,
            zero: 0,
            constant: None,
        });
        EdgeId(self.0.edges.len() - 1)
    }

    fn constant(&mut self, extent: Extent) -> EdgeId {
        let edge = self.edge(extent);
        self.0.edges[edge.0].constant = Some(vec![0; extent.bytes()]);
        edge
    }

    fn extent(&self, edge: EdgeId) -> Extent {
        self.0.edges[edge.0].extent
    }

    fn port(&self, edge: EdgeId) -> Port {
        Port {
            name: String::new(),
            edge,
            layout: Layout::row_major(&[self.extent(edge).len]),
            model_type: ModelType::I8,
        }
    }

    /// Adds `op` on `inputs`, with edges for its results.
    fn node(&mut self, op: impl Into<Op>, inputs: Vec<EdgeId>) {
        let op = op.into();
        op.operator().check().expect("valid parameters");
        let extents = op.operator().outputs();
        let outputs = extents.iter().map(|&extent| self.edge(extent)).collect();
        self.0.nodes.push(KernelNode {
            name: String::new(),
            op,
            constants: Vec::new(),
            inputs,
            outputs,
        });
    }

    fn draw(&mut self, (kind, operands, size, is_constant): &Draw) {
        let made = self.0.edges.len();
        let operands: Vec<EdgeId> = operands.iter().map(|it| EdgeId(it.index(made))).collect();
        let first = operands[0];
        let extent = self.extent(first);
        match (kind, extent.element) {
            (0, Element::I8) => self.node(clamp(extent.len), vec![first]),
            (1, Element::I8) => {
                let alike = |edge: &EdgeId| self.extent(*edge) == extent;
                let second = operands[1..].iter().copied().find(alike);
                let second = match second {
                    Some(second) if !is_constant => second,
                    _ => self.constant(extent),
                };
                let operands = if size % 2 == 0 {
                    vec![first, second]
                } else {
                    vec![second, first]
                };
                self.node(add(extent.len), operands);
            }
            (2, Element::F32) => {
                let k = (*size).min(extent.len);
                let (len, largest) = (extent.len, true);
                let (outer, inner) = (1, 1);
                self.node(
                    TopK {
                        outer,
                        len,
                        inner,
                        k,
                        largest,
                    },
                    vec![first],
                );
            }
            (3, element) => {
                let delay = Delay {
                    element,
                    frame_len: extent.len,
                    frames: 1,
                    delay: size % 3,
                    overlap: 1,
                    fill: 0,
                };
                self.node(delay, vec![first]);
            }
            (_, element) => {
                let mut joined = operands;
                joined.retain(|&edge| self.extent(edge).element == element);
                let mut inner = [0; OPERANDS_MAX];
                for (inner, &edge) in inner.iter_mut().zip(&joined) {
                    *inner = self.extent(edge).len;
                }
                let outer = 1;
                self.node(
                    Concat {
                        element,
                        outer,
                        inner,
                    },
                    joined,
                );
            }
        }
    }
}

fn clamp(len: usize) -> Clamp {
    let (min, max) = (-5, 5);
    Clamp { len, min, max }
}

fn add(len: usize) -> Add {
    let factor = Multiplier {
        mantissa: 1 << 30,
        shift: 0,
    };
    Add {
        broadcast: Broadcast::flat(len),
        subtract: false,
        zeros: [0, 0],
        factors: [factor, factor],
        factor,
        store: Output {
            zero: 0,
            min: -128,
            max: 127,
        },
    }
}

fn graph((inputs, nodes, outputs): &(Vec<usize>, Vec<Draw>, Vec<Index>)) -> KernelGraph {
    let mut builder = Builder(KernelGraph {
        nodes: Vec::new(),
        edges: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
    });
    for (index, &len) in inputs.iter().enumerate() {
        let element = [Element::I8, Element::F32][index % 2];
        let edge = builder.edge(Extent::new(element, len));
        let port = builder.port(edge);
        builder.0.inputs.push(port);
    }
    for node in nodes {
        builder.draw(node);
    }
    let made = builder.0.nodes.iter().flat_map(|node| &node.outputs);
    let made: Vec<EdgeId> = made.copied().collect();
    for output in outputs {
        let port = builder.port(*output.get(&made));
        builder.0.outputs.push(port);
    }
    builder.0
}

/// An arena of words.
struct Memory(Vec<Owner>);

impl Memory {
    fn words(&mut self, at: usize, bytes: usize) -> &mut [Owner] {
        assert_eq!(at % ArenaAt::ALIGN, 0, "misaligned");
        let first = at / ArenaAt::ALIGN;
        &mut self.0[first..first + bytes.div_ceil(ArenaAt::ALIGN)]
    }

    fn write(&mut self, at: usize, bytes: usize, owner: Owner) {
        self.words(at, bytes).fill(owner);
    }

    fn read(&mut self, at: usize, bytes: usize, owner: Owner) {
        let words = self.words(at, bytes);
        assert!(words.iter().all(|&it| it == owner), "{owner:?}: {words:?}");
    }
}

/// Runs the graph twice on a memory of that plan.
fn simulate(graph: &KernelGraph, plan: &MemoryPlan) {
    let mut memory = Memory(vec![Owner::Nobody; plan.arena_bytes / ArenaAt::ALIGN]);
    let edge = |id: EdgeId| (plan.offsets[id.0], graph.edges[id.0].extent.bytes());
    let state = |step: usize| {
        let extents = graph.nodes[step].op.operator().state();
        let lens: Vec<usize> = extents.iter().map(|extent| extent.bytes()).collect();
        plan.state[step].iter().copied().zip(lens)
    };
    for step in 0..graph.nodes.len() {
        for (at, bytes) in state(step) {
            memory.read(at, bytes, Owner::Nobody);
            memory.write(at, bytes, Owner::State(step));
        }
    }
    for _ in 0..2 {
        for port in &graph.inputs {
            let (at, bytes) = edge(port.edge);
            memory.write(at, bytes, Owner::Edge(port.edge));
        }
        for (step, node) in graph.nodes.iter().enumerate() {
            let scratch = node.op.operator().scratch_bytes();
            memory.write(plan.scratch[step], scratch, Owner::Scratch);
            for &input in &node.inputs {
                let (at, bytes) = edge(input);
                if graph.edges[input.0].constant.is_none() {
                    memory.read(at, bytes, Owner::Edge(input));
                }
            }
            for &output in &node.outputs {
                let (at, bytes) = edge(output);
                memory.write(at, bytes, Owner::Edge(output));
            }
            memory.read(plan.scratch[step], scratch, Owner::Scratch);
            for (at, bytes) in state(step) {
                memory.read(at, bytes, Owner::State(step));
            }
            for &output in &node.outputs {
                let (at, bytes) = edge(output);
                memory.read(at, bytes, Owner::Edge(output));
            }
        }
        for port in &graph.outputs {
            let (at, bytes) = edge(port.edge);
            memory.read(at, bytes, Owner::Edge(port.edge));
        }
    }
}

/// What any placement needs: all state, and the largest step's operands.
fn least(graph: &KernelGraph) -> usize {
    let bytes = |extent: Extent| extent.bytes();
    let operators = || graph.nodes.iter().map(|node| node.op.operator());
    let state = operators().flat_map(|it| it.state()).map(bytes);
    let read = graph.nodes.iter().map(|node| {
        let mut inputs = node.inputs.clone();
        inputs.sort_unstable();
        inputs.dedup();
        inputs.retain(|&input| graph.edges[input.0].constant.is_none());
        let lens = inputs.iter().map(|&it| bytes(graph.edges[it.0].extent));
        lens.sum::<usize>() + node.op.operator().scratch_bytes()
    });
    state.sum::<usize>() + read.max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nobody_finds_another_ones_bytes(draws in draws()) {
        let mut graph = graph(&draws);
        let plan = plan(&mut graph);
        simulate(&graph, &plan);
        prop_assert!(plan.lower_bound_bytes <= plan.arena_bytes);
        prop_assert!(least(&graph) <= plan.arena_bytes);
    }
}
