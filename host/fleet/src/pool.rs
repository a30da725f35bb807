//! The executors of a worker: one thread runs what others ask, questions for the same plan
//! together.
//!
//! The queue is bounded; who finds it full is told so at once. Whose deadline has passed when its
//! turn comes is not run.

use crate::plans::LOADED_MAX;
use crate::wire::{len_of, split};
use bytes::Bytes;
use microtome_backend::{Backend, BackendError, Inputs, Outputs};
use microtome_plan::{Digest, PlanBuf};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;
use tokio::sync::oneshot;

/// Questions that are run at once.
const BATCH_MAX: usize = 32;

/// Opens an executor of a plan, and says what it is called.
pub type Open = dyn FnMut(&PlanBuf) -> Result<(Box<dyn Backend>, String), BackendError> + Send;

/// Why a question was not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotRun {
    /// There is no room.
    Full,
    /// Its deadline has passed.
    Late,
    /// It does not fit the plan.
    Len { expected: usize, found: usize },
    /// There is no executor, or it failed.
    Executor(BackendError),
}

/// Outputs, and what ran the plan.
pub(crate) type Ran = Result<(Outputs, Arc<str>), NotRun>;

/// The queue; its thread ends when it is dropped.
pub(crate) struct Pool {
    queue: Arc<Queue>,
}

struct Job {
    plan: Arc<PlanBuf>,
    inputs: Bytes,
    deadline: Instant,
    reply: oneshot::Sender<Ran>,
}

struct Queue {
    len_max: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    ended: bool,
}

impl Pool {
    pub fn start(len_max: usize, open: Box<Open>) -> std::io::Result<Self> {
        let queue = Arc::new(Queue {
            len_max,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let runner = Runner {
            queue: Arc::clone(&queue),
            open,
            models: Vec::new(),
        };
        let thread = thread::Builder::new().name("fleet".to_owned());
        thread.spawn(move || runner.run())?;
        Ok(Self { queue })
    }

    /// Takes a question; what became of it comes, unless the pool ends.
    pub fn submit(
        &self,
        plan: Arc<PlanBuf>,
        inputs: Bytes,
        deadline: Instant,
    ) -> Result<oneshot::Receiver<Ran>, NotRun> {
        let expected = len_of(&plan.plan().manifest().inputs);
        let found = inputs.len();
        if expected != found {
            return Err(NotRun::Len { expected, found });
        }
        let mut state = self.queue.lock();
        if state.ended || state.waiting.len() >= self.queue.len_max {
            return Err(NotRun::Full);
        }
        let (reply, answer) = oneshot::channel();
        state.waiting.push_back(Job {
            plan,
            inputs,
            deadline,
            reply,
        });
        self.queue.changed.notify_one();
        Ok(answer)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.end();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        state.waiting.clear();
        self.changed.notify_all();
    }

    /// The next question.
    fn pop(&self) -> Option<Job> {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.ended;
        let state = self.changed.wait_while(self.lock(), idle);
        state
            .unwrap_or_else(PoisonError::into_inner)
            .waiting
            .pop_front()
    }

    /// Up to `count` others for the plan.
    fn pop_more(&self, digest: &Digest, count: usize) -> Vec<Job> {
        let mut state = self.lock();
        let waiting = std::mem::take(&mut state.waiting);
        let mut taken = Vec::new();
        for job in waiting {
            if taken.len() < count && job.plan.digest() == *digest {
                taken.push(job);
            } else {
                state.waiting.push_back(job);
            }
        }
        taken
    }
}

/// A plan that can be run.
struct Model {
    digest: Digest,
    backend: Box<dyn Backend>,
    executor: Arc<str>,
}

struct Runner {
    queue: Arc<Queue>,
    open: Box<Open>,
    /// The one that was used last is last.
    models: Vec<Model>,
}

/// However a runner ends, nobody waits for it.
impl Drop for Runner {
    fn drop(&mut self) {
        self.queue.end();
    }
}

impl Runner {
    fn run(mut self) {
        while let Some(first) = self.queue.pop() {
            let plan = Arc::clone(&first.plan);
            let mut batch = vec![first];
            let model = match self.model(&plan) {
                Ok(model) => model,
                Err(error) => {
                    batch.extend(self.queue.pop_more(&plan.digest(), usize::MAX));
                    refuse(batch, &NotRun::Executor(error));
                    continue;
                }
            };
            let more = model.backend.batch_max().clamp(1, BATCH_MAX) - 1;
            batch.extend(self.queue.pop_more(&plan.digest(), more));
            self.answer(&plan, batch);
        }
    }

    /// An executor of `plan`, which becomes the last one.
    fn model(&mut self, plan: &PlanBuf) -> Result<&mut Model, BackendError> {
        let digest = plan.digest();
        let model = match self.models.iter().position(|it| it.digest == digest) {
            Some(at) => self.models.remove(at),
            None => {
                let (backend, executor) = (self.open)(plan)?;
                if self.models.len() >= LOADED_MAX {
                    self.models.remove(0);
                }
                Model {
                    digest,
                    backend,
                    executor: executor.into(),
                }
            }
        };
        Ok(self.models.push_mut(model))
    }

    /// Runs questions for one plan, whose executor is the last one; where that fails, another one
    /// is opened for the next.
    fn answer(&mut self, plan: &PlanBuf, batch: Vec<Job>) {
        let now = Instant::now();
        let (late, batch): (Vec<Job>, Vec<Job>) = batch
            .into_iter()
            .filter(|job| !job.reply.is_closed())
            .partition(|job| now >= job.deadline);
        refuse(late, &NotRun::Late);
        let Some(model) = self.models.last_mut().filter(|_| !batch.is_empty()) else {
            return;
        };
        let lens: Vec<usize> = {
            let plan = plan.plan();
            let ports = plan.manifest().inputs.iter();
            ports.map(microtome_plan::Port::len_bytes).collect()
        };
        let samples: Vec<Inputs<'_>> = batch
            .iter()
            .map(|job| split(&job.inputs, lens.iter().copied()).collect())
            .collect();
        match model.backend.run(&samples) {
            Ok(outputs) => {
                for (job, outputs) in batch.into_iter().zip(outputs) {
                    // Whoever does not wait any more does not hear.
                    let _ = job.reply.send(Ok((outputs, Arc::clone(&model.executor))));
                }
            }
            Err(error) => {
                tracing::warn!("fleet: an executor failed: {error}");
                self.models.pop();
                refuse(batch, &NotRun::Executor(error));
            }
        }
    }
}

fn refuse(jobs: Vec<Job>, why: &NotRun) {
    for job in jobs {
        let _ = job.reply.send(Err(why.clone()));
    }
}
