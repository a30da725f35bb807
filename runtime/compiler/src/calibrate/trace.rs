//! Runs a graph, in whatever precision its edges have, and shows what every edge becomes.
//!
//! What runs is the plan that the compiler would emit, with the kernels of this machine, so that
//! a quantized graph is measured with the very bits of a board. Samples are shared out among
//! threads; results come back in the samples' order, whatever the number of threads.

use super::samples::{Arranged, Sample};
use crate::error::CompileError;
use crate::graph::{EdgeId, Graph, Kind};
use crate::planner::{self, MemoryPlan};
use crate::select::{KernelEdge, KernelGraph};
use crate::{Options, emit, precision, select};
use microtome_exec::Executor;
use microtome_kernels::Element;
use microtome_plan::{Plan, PlanBuf};
use std::ops::ControlFlow;
use std::thread;

/// A graph that is ready to run.
pub(super) struct Runnable {
    plan: PlanBuf,
    kernels: KernelGraph,
    /// Which edges hold real numbers.
    is_real: Vec<bool>,
}

impl Runnable {
    /// Compiles `graph`, whose edges keep their ids; more may follow them.
    pub fn new(graph: &Graph) -> Result<Self, CompileError> {
        let settled = precision::settle(graph.clone(), &mut [])?;
        let mut kernels = select::select(&settled)?;
        let memory: MemoryPlan = planner::plan(&mut kernels);
        let plan = emit::emit(&kernels, &memory, &Options::new(""))?;
        let is_real = settled.edges.iter().map(|edge| edge.kind == Kind::Real);
        Ok(Self {
            plan,
            is_real: is_real.collect(),
            kernels,
        })
    }

    /// Multiply–accumulates of one run.
    pub fn macs(&self) -> usize {
        let operators = self.kernels.nodes.iter().map(|node| node.op.operator());
        operators.map(|operator| operator.macs()).sum()
    }

    /// Runs each sample and shows `visit` every edge of real numbers as it is made, inputs first,
    /// until `visit` breaks. Each sample begins with its own state, made by `start`.
    pub fn trace<S: Send>(
        &self,
        samples: &Arranged,
        start: impl Fn() -> S + Sync,
        visit: impl Fn(&mut S, EdgeId, Values<'_>) -> ControlFlow<()> + Sync,
    ) -> Vec<S> {
        self.share_out(samples, |executor, sample| {
            let mut state = start();
            self.run(executor, sample, &mut |edge, values: Values<'_>| {
                visit(&mut state, edge, values)
            });
            state
        })
    }

    /// The real numbers of each of `edges` for each sample, in the arena's order.
    pub fn values(&self, samples: &Arranged, edges: &[EdgeId]) -> Vec<Vec<Vec<f32>>> {
        let start = || vec![Vec::new(); edges.len()];
        self.trace(samples, start, |kept, edge, values| {
            for (kept, &wanted) in kept.iter_mut().zip(edges) {
                if wanted == edge {
                    *kept = values.reals();
                }
            }
            ControlFlow::Continue(())
        })
    }

    /// Gives every sample to `work` on one of this machine's threads.
    fn share_out<R: Send>(
        &self,
        samples: &Arranged,
        work: impl Fn(&mut Executor<'_, '_>, &Sample) -> R + Sync,
    ) -> Vec<R> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let part = samples.0.len().div_ceil(threads).max(1);
        let run = |part: &[Sample]| -> Vec<R> {
            let plan: Plan<'_> = self.plan.plan();
            let mut arena = vec![0_u32; plan.manifest().arena_bytes.div_ceil(4)];
            let arena = bytemuck::cast_slice_mut(&mut arena);
            let mut executor =
                Executor::new(&plan, arena).expect("the arena is as large as the plan asks for");
            part.iter()
                .map(|sample| work(&mut executor, sample))
                .collect()
        };
        thread::scope(|scope| {
            let parts = samples.0.chunks(part);
            let running: Vec<_> = parts.map(|part| scope.spawn(|| run(part))).collect();
            let joined = running.into_iter().flat_map(|part| {
                part.join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            joined.collect()
        })
    }

    fn run(
        &self,
        executor: &mut Executor<'_, '_>,
        sample: &Sample,
        visit: &mut impl FnMut(EdgeId, Values<'_>) -> ControlFlow<()>,
    ) {
        self.load(executor, sample);
        let mut show = |id: EdgeId, bytes: &[u8]| {
            if self.is_real[id.0] {
                let edge = &self.kernels.edges[id.0];
                visit(id, Values { edge, bytes })
            } else {
                ControlFlow::Continue(())
            }
        };
        for (index, port) in self.kernels.inputs.iter().enumerate() {
            if show(port.edge, executor.input_mut(index)).is_break() {
                return;
            }
        }
        // A result may lie in place of an operand, and be replaced by the next step.
        while let Some(done) = executor.step() {
            let ids = &self.kernels.nodes[done.index].outputs;
            for (&id, bytes) in ids.iter().zip(executor.results(&done.step)) {
                if show(id, bytes).is_break() {
                    return;
                }
            }
        }
    }

    /// Begins a run of `sample`.
    fn load(&self, executor: &mut Executor<'_, '_>, sample: &Sample) {
        executor.rewind();
        executor.reset();
        let plan = executor.plan();
        for (index, (values, port)) in sample.iter().zip(&plan.manifest().inputs).enumerate() {
            let is_real = self.is_real[self.kernels.inputs[index].edge.0];
            let bytes: Vec<u8> = match port.element {
                Element::F32 => values
                    .iter()
                    .flat_map(|&value| (value as f32).to_le_bytes())
                    .collect(),
                Element::I32 => values
                    .iter()
                    .flat_map(|&value| (value as i32).to_le_bytes())
                    .collect(),
                _ if is_real => values
                    .iter()
                    .map(|&value| port.quantize(value as f32).cast_unsigned())
                    .collect(),
                _ => values.iter().map(|&value| value as u8).collect(),
            };
            executor.input_mut(index).copy_from_slice(&bytes);
        }
    }
}

/// What an edge of real numbers has become.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    edge: &'a KernelEdge,
    bytes: &'a [u8],
}

impl Values<'_> {
    /// The real numbers, in the arena's order.
    pub fn reals(self) -> Vec<f32> {
        match self.edge.extent.element {
            Element::F32 => bytemuck::pod_collect_to_vec(self.bytes),
            Element::I8 => {
                let real = |&byte: &u8| {
                    let steps = i32::from(byte.cast_signed()) - i32::from(self.edge.zero);
                    self.edge.scale * steps as f32
                };
                self.bytes.iter().map(real).collect()
            }
            _ => Vec::new(),
        }
    }
}
