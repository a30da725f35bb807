//! A plan, an arena, and how far the run is.

use crate::profile::Profiler;
use crate::run::run;
use microtome_kernels::{KernelSet, dispatch};
use microtome_plan::plan::Steps;
use microtome_plan::{ArenaAt, Plan, Port, Step};

/// Runs one plan, again and again.
///
/// A run is: write every input, [`Executor::run`] (or [`Executor::step`] until it is `None`, then
/// [`Executor::rewind`]), read the outputs. Steps reuse the arena of inputs that are no longer
/// needed, so that inputs are written anew before each run. What steps keep from run to run
/// (streaming) begins empty, and again after [`Executor::reset`].
#[derive(Debug)]
pub struct Executor<'p, 'a> {
    plan: &'p Plan<'p>,
    kernels: &'static KernelSet,
    arena: &'a mut [u8],
    steps: Steps<'p>,
    /// The steps, where the caller has decoded them.
    decoded: Option<&'p [Step<'p>]>,
    next: usize,
}

/// Why an arena cannot hold a plan's activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArenaError {
    /// It has too few bytes.
    #[error("the plan needs an arena of {need} bytes, this one has {have}")]
    TooSmall {
        /// Bytes that the plan needs.
        need: usize,
        /// Bytes of the arena.
        have: usize,
    },
    /// It does not begin at a multiple of [`ArenaAt::ALIGN`].
    #[error("the arena must lie at a multiple of {align} bytes in memory")]
    Misaligned {
        /// The multiple.
        align: usize,
    },
}

/// A step that has just run.
#[derive(Clone, Debug, PartialEq)]
pub struct StepDone<'p> {
    /// Its index, from 0.
    pub index: usize,
    /// The step.
    pub step: Step<'p>,
}

impl<'p, 'a> Executor<'p, 'a> {
    /// An executor of `plan` with the fastest kernels of this machine. The arena may be larger
    /// than the plan needs; its content does not matter.
    ///
    /// # Errors
    /// When the arena is too small or misaligned.
    pub fn new(plan: &'p Plan<'p>, arena: &'a mut [u8]) -> Result<Self, ArenaError> {
        Self::with_kernels(plan, arena, dispatch::best())
    }

    /// As [`Executor::new`], with chosen kernels: the reference, to compare with.
    ///
    /// # Errors
    /// When the arena is too small or misaligned.
    pub fn with_kernels(
        plan: &'p Plan<'p>,
        arena: &'a mut [u8],
        kernels: &'static KernelSet,
    ) -> Result<Self, ArenaError> {
        Self::create(plan, None, arena, kernels)
    }

    /// As [`Executor::new`], with the steps of `plan` as [`Plan::steps`] gives them: a caller who
    /// makes executors of one plan again and again keeps them, so that none has to decode them.
    ///
    /// # Errors
    /// When the arena is too small or misaligned.
    pub fn with_steps(
        plan: &'p Plan<'p>,
        steps: &'p [Step<'p>],
        arena: &'a mut [u8],
    ) -> Result<Self, ArenaError> {
        Self::create(plan, Some(steps), arena, dispatch::best())
    }

    fn create(
        plan: &'p Plan<'p>,
        decoded: Option<&'p [Step<'p>]>,
        arena: &'a mut [u8],
        kernels: &'static KernelSet,
    ) -> Result<Self, ArenaError> {
        let (need, have) = (plan.manifest().arena_bytes, arena.len());
        if have < need {
            return Err(ArenaError::TooSmall { need, have });
        }
        let align = ArenaAt::ALIGN;
        if !arena.as_ptr().addr().is_multiple_of(align) {
            return Err(ArenaError::Misaligned { align });
        }
        let mut executor = Self {
            plan,
            kernels,
            arena,
            steps: plan.steps(),
            decoded,
            next: 0,
        };
        executor.reset();
        Ok(executor)
    }

    /// The plan.
    pub fn plan(&self) -> &'p Plan<'p> {
        self.plan
    }

    /// The kernels that run it.
    pub fn kernels(&self) -> &'static KernelSet {
        self.kernels
    }

    /// The bytes of input `index`, in the arena's axis order, to be written before a run.
    ///
    /// # Panics
    /// When the plan has no such input.
    pub fn input_mut(&mut self, index: usize) -> &mut [u8] {
        let port = &self.plan.manifest().inputs[index];
        &mut self.arena[port.at.span(port.len_bytes())]
    }

    /// The bytes of output `index`, in the arena's axis order, valid after a run.
    ///
    /// # Panics
    /// When the plan has no such output.
    pub fn output(&self, index: usize) -> &[u8] {
        let port: &Port<'_> = &self.plan.manifest().outputs[index];
        &self.arena[port.at.span(port.len_bytes())]
    }

    /// What the first result of `step` has become, until a later step reuses its place.
    pub fn written(&self, step: &Step<'_>) -> &[u8] {
        &self.arena[step.output()]
    }

    /// What each result of `step` has become, until a later step reuses its place.
    pub fn results(&self, step: &Step<'_>) -> impl Iterator<Item = &[u8]> {
        step.writes().into_iter().map(|span| &self.arena[span])
    }

    /// Forgets what steps keep from run to run: the next run is the first of a sequence.
    pub fn reset(&mut self) {
        match self.decoded {
            Some(steps) => steps.iter().for_each(|step| self.forget(step)),
            None => self.plan.steps().for_each(|step| self.forget(&step)),
        }
    }

    fn forget(&mut self, step: &Step<'_>) {
        if step.state.is_empty() {
            return;
        }
        let fill = step.op.operator().state_fill().cast_unsigned();
        for span in step.kept() {
            self.arena[span].fill(fill);
        }
    }

    /// Runs the next step; `None` when all have run.
    pub fn step(&mut self) -> Option<StepDone<'p>> {
        let step = self.steps.next()?;
        let index = self.next;
        self.next += 1;
        self.run_step(index, &step, &mut ());
        Some(StepDone { index, step })
    }

    /// Makes the first step the next one.
    pub fn rewind(&mut self) {
        self.steps = self.plan.steps();
        self.next = 0;
    }

    /// Runs every step, from the first; the next step is the first one again.
    pub fn run(&mut self, profiler: &mut impl Profiler) {
        self.rewind();
        if let Some(steps) = self.decoded {
            for (index, step) in steps.iter().enumerate() {
                self.run_step(index, step, profiler);
            }
            return;
        }
        let (mut steps, mut step) = (self.plan.steps(), Step::empty());
        let mut index = 0;
        while steps.read(&mut step).is_some() {
            self.run_step(index, &step, profiler);
            index += 1;
        }
    }

    fn run_step(&mut self, index: usize, step: &Step<'p>, profiler: &mut impl Profiler) {
        profiler.begin(index, step);
        run(step, self.plan, self.kernels, self.arena);
        profiler.end(index, step);
    }
}
