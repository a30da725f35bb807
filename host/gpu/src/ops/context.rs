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
    /// Operands that all samples read, as they are in the plan; they lie before the arenas.
    pub shared: Vec<u8>,
    /// Where in `shared` the plan's constants lie, by their offset in the plan and their bytes.
    whole: HashMap<(usize, usize), usize>,
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

    /// Appends an operand that all samples read.
    pub(super) fn share(&mut self, bytes: &[u8]) -> Operand {
        let at = self.shared.len();
        self.shared.extend(bytes);
        let whole = self.shared.len().next_multiple_of(SHARED_ALIGN);
        self.shared.resize(whole, 0);
        Operand::shared(at)
    }

    /// Appends floats in vectors; returns the index of the first.
    pub(super) fn floats(&mut self, values: impl IntoIterator<Item = f32>) -> u32 {
        let values: Vec<f32> = values.into_iter().collect();
        self.bytes(bytemuck::cast_slice(&values))
    }
}

/// Every shared operand begins at four words.
const SHARED_ALIGN: usize = 16;

/// A step that is being lowered.
pub(super) struct At<'a> {
    pub job: Job,
    pub step: &'a Step<'a>,
    pub plan: &'a Plan<'a>,
    pub packed: &'a mut Packed,
    /// What the result goes through, where the program has a chain.
    pub chain: &'a [Stage],
    /// What it goes through in all, with the step's own function.
    pub stages: Vec<Stage>,
}

impl<'a> At<'a> {
    /// The job, with the chain after a function of the step's own.
    pub(super) fn chained(&mut self, own: Option<Stage>) -> Job {
        self.with_functions(own.iter().chain(self.chain).copied().collect())
    }

    /// The job of a program that is built for these functions.
    pub(super) fn with_functions(&mut self, stages: Vec<Stage>) -> Job {
        self.stages = stages;
        let numbers = self.stages.iter().flat_map(|stage| stage.numbers);
        let chain_at = self.packed.extend(numbers);
        Job {
            chain_at,
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
        let key = (at, bytes.len());
        if let Some(&found) = self.packed.whole.get(&key) {
            return Operand::shared(found);
        }
        self.packed.whole.insert(key, self.packed.shared.len());
        self.packed.share(bytes)
    }
}
