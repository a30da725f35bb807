//! The plan, its executor, and the frame that it works on.

use microtome_answer::Reading;
use microtome_exec::{ArenaError, Executor};
use microtome_plan::{Manifest, Plan, Port};

/// A plan that is ready to run, with memory for the activations and for one frame.
///
/// The frame is apart from the arena because a run overwrites its inputs, and the frame may still
/// have to go to the host.
#[derive(Debug)]
pub(crate) struct Engine<'p, 'm> {
    plan: &'p Plan<'p>,
    executor: Executor<'p, 'm>,
    frame: &'m mut [u8],
}

impl<'p, 'm> Engine<'p, 'm> {
    /// Divides `memory` between the arena and the frame.
    pub fn new(plan: &'p Plan<'p>, memory: &'m mut [u8]) -> Result<Self, ArenaError> {
        let frame_len = frame_len(plan.manifest());
        let have = memory.len();
        let arena_len = plan.manifest().arena_bytes;
        let need = arena_len + frame_len;
        let (arena, rest) = memory
            .split_at_mut_checked(arena_len)
            .filter(|(_, rest)| rest.len() >= frame_len)
            .ok_or(ArenaError::TooSmall { need, have })?;
        Ok(Self {
            plan,
            executor: Executor::new(plan, arena)?,
            frame: &mut rest[..frame_len],
        })
    }

    pub fn plan(&self) -> &'p Plan<'p> {
        self.plan
    }

    /// The first input, which sensors fill.
    pub fn input(&self) -> &'p Port<'p> {
        // A valid plan has at least one input.
        &self.plan.manifest().inputs[0]
    }

    /// The plan's inputs one after another.
    pub fn frame(&self) -> &[u8] {
        self.frame
    }

    pub fn frame_mut(&mut self) -> &mut [u8] {
        self.frame
    }

    /// Puts the frame into the arena and makes the first step the next one.
    pub fn load(&mut self) {
        self.executor.rewind();
        let mut rest: &[u8] = self.frame;
        for (index, port) in self.plan.manifest().inputs.iter().enumerate() {
            let (input, tail) = rest.split_at(port.len_bytes());
            self.executor.input_mut(index).copy_from_slice(input);
            rest = tail;
        }
    }

    /// Runs the next step; `false` when all have run.
    pub fn step(&mut self) -> bool {
        self.executor.step().is_some()
    }

    /// The raw outputs, valid after all steps have run.
    pub fn outputs(&self) -> impl Iterator<Item = &[u8]> {
        let count = self.plan.manifest().outputs.len();
        (0..count).map(|index| self.executor.output(index))
    }

    /// The answer in the first output, valid after all steps have run.
    pub fn reading(&self) -> Reading {
        let manifest = self.plan.manifest();
        // A valid plan has at least one output.
        let port = &manifest.outputs[0];
        microtome_answer::read(&manifest.task, port, self.executor.output(0))
    }
}

/// Bytes in a frame of the plan with this manifest.
pub(crate) fn frame_len(manifest: &Manifest<'_>) -> usize {
    manifest.inputs.iter().map(Port::len_bytes).sum()
}
