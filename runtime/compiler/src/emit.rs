//! The plan's bytes: constants at their alignment, steps, and the manifest.

use crate::Options;
use crate::error::CompileError;
use crate::graph::{EdgeId, Port};
use crate::planner::MemoryPlan;
use crate::select::{KernelGraph, KernelNode};
use microtome_plan::op::OperandAt;
use microtome_plan::{ArenaAt, ConstAt, Manifest, PlanBuf, Step};
use std::collections::HashMap;

/// Writes the plan, and validates it as a loader would.
pub fn emit(
    graph: &KernelGraph,
    memory: &MemoryPlan,
    options: &Options<'_>,
) -> Result<PlanBuf, CompileError> {
    let mut constants = Constants::new(options.target.constant_align());
    let steps: Vec<_> = (0..graph.nodes.len())
        .map(|index| step(graph, memory, index, &mut constants))
        .collect();
    let manifest = Manifest {
        model: options.model,
        target: options.target,
        arena_bytes: memory.arena_bytes,
        steps: steps.len(),
        inputs: ports(&graph.inputs, graph, memory).collect(),
        outputs: ports(&graph.outputs, graph, memory).collect(),
        task: options.task.clone(),
        cascade: options.cascade,
    };
    let bytes = microtome_plan::encode(&manifest, &steps, &constants.section);
    Ok(PlanBuf::new(&bytes)?)
}

fn step<'a>(
    graph: &'a KernelGraph,
    memory: &MemoryPlan,
    index: usize,
    constants: &mut Constants,
) -> Step<'a> {
    let node: &KernelNode = &graph.nodes[index];
    let at = |edge: &EdgeId| ArenaAt(memory.offsets[edge.0]);
    let mut operand = |edge: &EdgeId| match &graph.edges[edge.0].constant {
        Some(bytes) => OperandAt::Constant(constants.add(bytes)),
        None => OperandAt::Arena(at(edge)),
    };
    let inputs = node.inputs.iter().map(&mut operand).collect();
    Step {
        name: &node.name,
        scale: node
            .outputs
            .first()
            .map_or(1.0, |output| graph.edges[output.0].scale),
        op: node.op.clone(),
        inputs,
        outputs: node.outputs.iter().map(at).collect(),
        state: memory.state[index].iter().copied().map(ArenaAt).collect(),
        scratch: ArenaAt(memory.scratch[index]),
        constants: node.constants.iter().map(|it| constants.add(it)).collect(),
    }
}

/// The constants section; equal constants lie in it once.
struct Constants {
    align: usize,
    section: Vec<u8>,
    places: HashMap<Vec<u8>, ConstAt>,
}

impl Constants {
    /// An empty section whose constants lie at multiples of `align`.
    fn new(align: usize) -> Self {
        Self {
            align,
            section: Vec::new(),
            places: HashMap::new(),
        }
    }

    fn add(&mut self, bytes: &[u8]) -> ConstAt {
        if let Some(&at) = self.places.get(bytes) {
            return at;
        }
        let start = self.section.len().next_multiple_of(self.align);
        self.section.resize(start, 0);
        self.section.extend_from_slice(bytes);
        self.places.insert(bytes.to_vec(), ConstAt(start));
        ConstAt(start)
    }
}

/// The plan's ports; lowering has seen to it that there are no more than a plan has.
fn ports<'a>(
    ports: &'a [Port],
    graph: &'a KernelGraph,
    memory: &'a MemoryPlan,
) -> impl Iterator<Item = microtome_plan::Port<'a>> {
    ports.iter().map(|port| {
        let edge = &graph.edges[port.edge.0];
        let axes = port.layout.order.iter().map(|&axis| axis as u8);
        microtome_plan::Port {
            name: &port.name,
            at: ArenaAt(memory.offsets[port.edge.0]),
            dims: port.layout.dims.iter().copied().collect(),
            order: axes.collect(),
            model_type: port.model_type,
            element: edge.extent.element,
            scale: edge.scale,
            zero: edge.zero,
        }
    })
}
