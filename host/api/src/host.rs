//! What the daemon does for requests besides its devices: it runs plans, and tells of its health.

use microtome_journal::record::Answer;
use microtome_plan::PlanBuf;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A plan's run, under way.
pub type Running = Pin<Box<dyn Future<Output = Result<Ran, NoRun>> + Send>>;

/// What a daemon does for requests.
pub trait Host: fmt::Debug + Send + Sync + 'static {
    /// Why nothing is recorded at present, if that is so.
    fn trouble(&self) -> Option<String>;

    /// Questions that wait for an executor.
    fn queue_len(&self) -> usize;

    /// The plans that clients may run.
    fn plans(&self) -> &[Arc<PlanBuf>];

    /// Runs one of [`Host::plans`] on its only input, after what boards ask. Dropping the future
    /// gives the run up.
    fn run(&self, plan: &Arc<PlanBuf>, values: Vec<u8>, time_max: Duration) -> Running;
}

/// What a run gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// What was seen.
    pub answer: Answer,
    /// How sure that is, 0 to 1.
    pub confidence: f32,
    /// Each output's bytes in the arena's order.
    pub outputs: Vec<Vec<u8>>,
    /// What ran it.
    pub executor: String,
    /// Time in the queue.
    pub queue: Duration,
    /// Time in the executor.
    pub run: Duration,
}

/// Why a plan was not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRun {
    /// Others wait already.
    #[error("{0}")]
    Busy(String),
    /// It took too long.
    #[error("the run did not end in time")]
    Late,
    /// The executor failed.
    #[error("{0}")]
    Failed(String),
}
