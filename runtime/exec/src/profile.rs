//! Watching a run step by step: timers, instruction counters, traces.

use microtome_plan::Step;

/// Is told when each step of a run begins and ends. `()` watches nothing.
pub trait Profiler {
    /// Step `index` is about to run.
    fn begin(&mut self, index: usize, step: &Step<'_>);

    /// Step `index` has run.
    fn end(&mut self, index: usize, step: &Step<'_>);
}

impl Profiler for () {
    fn begin(&mut self, _index: usize, _step: &Step<'_>) {}

    fn end(&mut self, _index: usize, _step: &Step<'_>) {}
}
