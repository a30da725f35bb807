//! What an operator's file is told of its step, and the constants that programs read.

use super::chain::Stage;
use super::params::{Job, Operand};
use microtome_kernels::float::source::Source;
use microtome_plan::{ArenaAt, OperandAt, Plan, Step};
use std::collections::HashMap;

/// Constants as programs read them: vectors of four words.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    pub vectors: Vec<[u32; 4]>,
    /// Where the plan's constants lie that programs read as they are, by their offset in the plan
    /// and their bytes.
    whole: HashMap<(usize, usize), u32>,
}

impl Packed {
    /// Appends `vectors`; returns the index of the first.
    pub(super) fn extend(&mut self, vectors: impl IntoIterator<Item = [u32; 4]>) -> u32 {
        let at = self.vectors.len() as u32;
        self.vectors.extend(vectors);
        at
    }

    /// Appends bytes, filled up to a whole vector; returns the index of the first vector.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> u32 {
        self.extend(bytes.chunks(16).map(|chunk| {
            let mut padded = [0; 16];
            padded[..chunk.len()].copy_from_slice(chunk);
            bytemuck::cast(padded)
        }))
    }

    /// Appends floats in vectors; returns the index of the first.
    pub(super) fn floats(&mut self, values: impl IntoIterator<Item = f32>) -> u32 {
        let values: Vec<f32> = values.into_iter().collect();
        self.bytes(bytemuck::cast_slice(&values))
    }
}

/// A step that is being lowered.
pub(super) struct At<'a> {
    pub job: Job,
    pub step: &'a Step<'a>,
    pub plan: &'a Plan<'a>,
    pub packed: &'a mut Packed,
    /// What the result goes through, where the program has a chain.
    pub chain: &'a [Stage],
}

impl<'a> At<'a> {
    /// The job, with the chain after a function of the step's own.
    pub(super) fn chained(&mut self, own: Option<Stage>) -> Job {
        let stages = own.iter().chain(self.chain);
        let chain_len = stages.clone().count() as u32;
        let chain_at = self.packed.extend(stages.flatten().copied());
        Job {
            chain_at,
            chain_len,
            ..self.job
        }
    }

    /// Where operand `index` lies in the arena; `None` if it is a constant.
    pub(super) fn arena(&self, index: usize) -> Option<ArenaAt> {
        match self.step.inputs.get(index) {
            Some(&OperandAt::Arena(at)) => Some(at),
            _ => None,
        }
    }

    /// Operand `index`, wherever it lies.
    pub(super) fn operand(&mut self, index: usize) -> Option<Operand> {
        let (at, extent) = self.step.operands().nth(index)?;
        Some(match at {
            OperandAt::Arena(at) => Operand::arena(at),
            OperandAt::Constant(at) => self.whole(at.0, self.plan.constant(at, extent)),
        })
    }

    /// The bytes of constant `index`.
    pub(super) fn constant(&self, index: usize) -> Option<&'a [u8]> {
        let (at, extent) = self.step.constants().nth(index)?;
        Some(self.plan.constant(at, extent))
    }

    /// Constant `index` as it lies in the plan.
    pub(super) fn whole_constant(&mut self, index: usize) -> Option<Operand> {
        let (at, extent) = self.step.constants().nth(index)?;
        Some(self.whole(at.0, self.plan.constant(at, extent)))
    }

    /// Read `index` of an operator whose reads come from `sources`; `None` if it has none.
    pub(super) fn read(&mut self, sources: &[Source], index: usize) -> Option<Operand> {
        let source = *sources.get(index)?;
        let before = sources[..index].iter().filter(|&&it| it == source).count();
        match source {
            Source::None => None,
            Source::Operand => self.operand(before),
            Source::Constant => self.whole_constant(before),
        }
    }

    /// Where read `index` lies in the arena, if it does.
    pub(super) fn place(&self, sources: &[Source], index: usize) -> Option<ArenaAt> {
        if *sources.get(index)? != Source::Operand {
            return None;
        }
        let before = sources[..index].iter();
        self.arena(before.filter(|&&it| it == Source::Operand).count())
    }

    /// The floats of read `index`, where that is a constant.
    pub(super) fn floats(&self, sources: &[Source], index: usize) -> Option<&'a [f32]> {
        let constants = sources[..index]
            .iter()
            .filter(|&&it| it == Source::Constant);
        let before = constants.count();
        match sources.get(index)? {
            Source::Constant => Some(bytemuck::cast_slice(self.constant(before)?)),
            _ => None,
        }
    }

    fn whole(&mut self, at: usize, bytes: &[u8]) -> Operand {
        let found = self.packed.whole.get(&(at, bytes.len())).copied();
        let vector = found.unwrap_or_else(|| {
            let vector = self.packed.bytes(bytes);
            self.packed.whole.insert((at, bytes.len()), vector);
            vector
        });
        Operand::constant(vector)
    }
}
