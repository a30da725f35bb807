//! The plan's bytes: constants at their alignment, steps, and the manifest.

use crate::Options;
use crate::error::CompileError;
use crate::graph::{EdgeId, Port};
use crate::planner::MemoryPlan;
use crate::quantize::{ConvTensors, IntegerGraph, IntegerNode, Kernel};
use microtome_kernels::reference::add::Add;
use microtome_plan::op::ConvAt;
use microtome_plan::{ArenaAt, ConstAt, Manifest, ModelType, Op, PlanBuf, Step};

/// Writes the plan, and validates it as a loader would.
pub fn emit(
    graph: &IntegerGraph,
    memory: &MemoryPlan,
    options: &Options<'_>,
) -> Result<PlanBuf, CompileError> {
    let mut constants = Vec::new();
    let steps: Vec<_> = graph
        .nodes
        .iter()
        .zip(&memory.operands)
        .map(|(node, operands)| Step {
            name: &node.name,
            scale: graph.edges[node.output.0].quantization.scale,
            op: op(node, operands, memory, &mut constants),
        })
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
    let bytes = microtome_plan::encode(&manifest, &steps, &constants);
    Ok(PlanBuf::new(&bytes)?)
}

fn op(node: &IntegerNode, operands: &[EdgeId], memory: &MemoryPlan, constants: &mut Vec<u8>) -> Op {
    let at = |edge: EdgeId| ArenaAt(memory.offsets[edge.0]);
    let input = at(operands[0]);
    let output = at(node.output);
    match node.kernel {
        Kernel::Conv2d(params, ref tensors) => Op::Conv2d {
            params,
            input,
            output,
            constants: append(constants, tensors),
        },
        Kernel::Depthwise(params, ref tensors) => Op::Depthwise {
            params,
            input,
            output,
            constants: append(constants, tensors),
        },
        Kernel::Add(params) => Op::Add {
            params: if operands[0] == node.inputs[0] {
                params
            } else {
                swapped(params)
            },
            a: input,
            b: at(operands[1]),
            output,
        },
        Kernel::AveragePool(params) => Op::AveragePool {
            params,
            input,
            output,
        },
        Kernel::MaxPool(params) => Op::MaxPool {
            params,
            input,
            output,
        },
        Kernel::Softmax(params) => Op::Softmax {
            params,
            input,
            output,
        },
        Kernel::Rescale(params) => Op::Rescale {
            params,
            input,
            output,
        },
        Kernel::Pad(params) => Op::Pad {
            params,
            input,
            output,
        },
        Kernel::Clamp(params) => Op::Clamp {
            params,
            input,
            output,
        },
    }
}

fn swapped(params: Add) -> Add {
    let ([a, b], [a_factor, b_factor]) = (params.zeros, params.factors);
    Add {
        zeros: [b, a],
        factors: [b_factor, a_factor],
        ..params
    }
}

fn append(constants: &mut Vec<u8>, tensors: &ConvTensors) -> ConvAt {
    let mut section = |bytes: &[u8]| {
        constants.resize(constants.len().next_multiple_of(ConstAt::ALIGN), 0);
        let at = ConstAt(constants.len());
        constants.extend_from_slice(bytes);
        at
    };
    ConvAt {
        weights: section(bytemuck::cast_slice(&tensors.weights)),
        bias: section(bytemuck::cast_slice(&tensors.bias)),
        mantissas: section(bytemuck::cast_slice(&tensors.mantissas)),
        shifts: section(bytemuck::cast_slice(&tensors.shifts)),
    }
}

/// The plan's ports; lowering has seen to it that there are no more than a plan has.
fn ports<'a>(
    ports: &'a [Port],
    graph: &'a IntegerGraph,
    memory: &'a MemoryPlan,
) -> impl Iterator<Item = microtome_plan::Port<'a>> {
    ports.iter().map(|port| {
        let quantization = graph.edges[port.edge.0].quantization;
        let axes = port.layout.order.iter().map(|&axis| axis as u8);
        microtome_plan::Port {
            name: &port.name,
            at: ArenaAt(memory.offsets[port.edge.0]),
            dims: port.layout.dims.iter().copied().collect(),
            order: axes.collect(),
            model_type: if port.is_int8 {
                ModelType::I8
            } else {
                ModelType::F32
            },
            scale: quantization.scale,
            zero: quantization.zero,
        }
    })
}
