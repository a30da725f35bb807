//! From an operator of a validated plan to its kernel: one match arm an operator.

use core::ops::Range;
use microtome_kernels::KernelSet;
use microtome_plan::{Op, Plan, Reads};

/// Runs one operator of `plan` on the arena.
pub(crate) fn run(op: &Op, plan: &Plan<'_>, kernels: &KernelSet, arena: &mut [i8]) {
    let (operands, output) = Operands::apart_from(op, arena);
    match op {
        Op::Conv2d {
            params, constants, ..
        } => {
            let constants = plan.conv(*constants, params.weights_len(), params.output.channels);
            (kernels.conv2d)(params, &constants, operands.get(0), output);
        }
        Op::Depthwise {
            params, constants, ..
        } => {
            let constants = plan.conv(*constants, params.weights_len(), params.output.channels);
            (kernels.depthwise)(params, &constants, operands.get(0), output);
        }
        Op::Add { params, .. } if operands.replaced => {
            (kernels.add_in_place)(params, output, operands.get(1));
        }
        Op::Add { params, .. } => {
            (kernels.add)(params, operands.get(0), operands.get(1), output);
        }
        Op::AveragePool { params, .. } => {
            (kernels.average_pool)(params, operands.get(0), output);
        }
        Op::MaxPool { params, .. } => (kernels.max_pool)(params, operands.get(0), output),
        Op::Softmax { params, .. } => (kernels.softmax)(params, operands.get(0), output),
        Op::Rescale { params, .. } if operands.replaced => {
            (kernels.rescale_in_place)(params, output);
        }
        Op::Rescale { params, .. } => (kernels.rescale)(params, operands.get(0), output),
        Op::Pad { params, .. } => (kernels.pad)(params, operands.get(0), output),
        Op::Clamp { params, .. } if operands.replaced => {
            (kernels.clamp_in_place)(params, output);
        }
        Op::Clamp { params, .. } => (kernels.clamp)(params, operands.get(0), output),
    }
}

/// What a step reads while it writes its output: the arena before and after the output.
/// Operands may overlap each other, as those of `x + x` do.
struct Operands<'a> {
    before: &'a [i8],
    after: &'a [i8],
    /// Where `after` begins in the arena.
    after_at: usize,
    spans: Reads,
    /// Whether the output lies on the first operand.
    replaced: bool,
}

impl<'a> Operands<'a> {
    /// Cuts the arena at the output of `op`.
    fn apart_from(op: &Op, arena: &'a mut [i8]) -> (Self, &'a mut [i8]) {
        let (spans, writes) = (op.reads(), op.writes());
        let (before, rest) = arena.split_at_mut(writes.start);
        let (output, after) = rest.split_at_mut(writes.len());
        let operands = Self {
            before,
            after,
            after_at: writes.end,
            replaced: spans.first() == Some(&writes),
            spans,
        };
        (operands, output)
    }

    /// An operand that is not replaced; validation made it lie apart from the output.
    fn get(&self, operand: usize) -> &'a [i8] {
        let Range { start, end } = self.spans[operand].clone();
        if end <= self.before.len() {
            &self.before[start..end]
        } else {
            &self.after[start - self.after_at..end - self.after_at]
        }
    }
}
