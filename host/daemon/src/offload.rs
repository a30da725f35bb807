//! The offload queue: heavier models answer what boards ask.
//!
//! One worker thread runs one batch after another. The most urgent question is taken first: boards
//! before the background, then the earliest deadline; questions for the same plan that wait beside
//! it run with it, as many as the executor gains from and as end within [`BATCH_TIME_MAX`]. A
//! question whose deadline has passed, or for whose answer nobody waits any more, is not run.
//!
//! The queue is bounded. A question that finds it full is refused at once, so that a board does not
//! wait for an answer that would come too late; but a board's question takes the place of the
//! youngest one of the background, which is refused instead. Nothing here ever blocks a session.
//!
//! When an executor fails, another one is opened, once, and the batch is run again: on the same
//! adapter if that can be had, else on the CPU. The answer names what ran it.

use microtome_answer::Reading;
use microtome_backend::{Answered, Backend, BackendError, Outputs};
use microtome_plan::{Digest, PlanBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Questions that wait at most, unless the user says otherwise.
pub const QUEUE_LEN_DEFAULT: usize = 16;
/// The longest that a batch of more than one question is meant to run: whoever comes next waits no
/// longer for it.
pub const BATCH_TIME_MAX: Duration = Duration::from_millis(50);
/// How long a question waits for others to run with, where its executor gains from batches.
const BATCH_WAIT: Duration = Duration::from_millis(2);

/// Opens an executor of a plan, with its name as records have it.
pub type Opened = Result<(Box<dyn Backend>, String), BackendError>;

/// How urgent a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A board waits for the answer.
    Board,
    /// Nobody does.
    Background,
}

/// A question.
#[derive(Debug)]
pub struct Question {
    /// Number of the frame, given back in the verdict.
    pub frame: u32,
    /// The plan that is to answer.
    pub plan: Arc<PlanBuf>,
    /// Its first input.
    pub values: Vec<u8>,
    /// How urgent it is.
    pub priority: Priority,
    /// When nobody waits for the answer any more.
    pub deadline: Instant,
    /// Where the verdict goes; it is dropped where there is no room. Closing it cancels the
    /// question.
    pub reply: mpsc::Sender<Verdict>,
}

/// What became of a question.
#[derive(Debug)]
pub struct Verdict {
    /// Number of the frame.
    pub frame: u32,
    /// The answer, or why there is none.
    pub outcome: Result<HostAnswer, NoAnswer>,
}

/// A heavier model's answer.
#[derive(Clone, Debug)]
pub struct HostAnswer {
    /// The reading.
    pub reading: Reading,
    /// What it was read from, and what else the plan gave.
    pub outputs: Outputs,
    /// The plan that was run.
    pub plan: Arc<PlanBuf>,
    /// What ran it, and why that.
    pub executor: Arc<str>,
    /// Time in the queue.
    pub queue: Duration,
    /// Time in the executor, of the whole batch.
    pub run: Duration,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Too many questions wait already.
    #[error("the offload queue is full")]
    QueueFull,
    /// A board's question took its place.
    #[error("a more urgent question took its place in the offload queue")]
    Displaced,
    /// Its turn came after its deadline.
    #[error("its deadline passed in the queue")]
    Late,
    /// The plan was not among those that the queue was started with.
    #[error("no executor was opened for the plan")]
    NoExecutor,
    /// The executor failed, and the one that took its place too.
    #[error("{0}")]
    Executor(BackendError),
    /// The worker is gone.
    #[error("the offload worker has ended")]
    Ended,
}

/// The queue. Its worker ends when it is dropped.
#[derive(Debug)]
pub struct Offload {
    queue: Arc<Queue>,
}

#[derive(Debug)]
struct Waiting {
    question: Question,
    since: Instant,
}

impl Offload {
    /// Opens an executor for each of `plans` and starts the worker. Each plan runs once at once,
    /// so that no question pays for what an executor puts off until its first run.
    ///
    /// # Errors
    /// When an executor can not be opened or fails.
    pub fn start(
        plans: &[Arc<PlanBuf>],
        queue_len: usize,
        mut open: impl FnMut(&PlanBuf) -> Opened + Send + 'static,
    ) -> Result<Self, BackendError> {
        let models: Result<Vec<_>, _> = plans
            .iter()
            .map(|plan| Model::open(plan, &mut open))
            .collect();
        let queue = Arc::new(Queue {
            len_max: queue_len,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let worker = Worker {
            queue: Arc::clone(&queue),
            models: models?,
            open,
        };
        thread::spawn(move || worker.work());
        Ok(Self { queue })
    }

    /// Takes a question, or refuses it at once.
    ///
    /// # Errors
    /// [`NoAnswer::QueueFull`], or [`NoAnswer::Ended`] after the worker has panicked.
    pub fn submit(&self, question: Question) -> Result<(), NoAnswer> {
        let displaced = self.queue.push(Waiting {
            question,
            since: Instant::now(),
        })?;
        if let Some(waiting) = displaced {
            waiting.question.end(Err(NoAnswer::Displaced));
        }
        Ok(())
    }
}

impl Offload {
    /// Questions that wait.
    pub fn len(&self) -> usize {
        self.queue.lock().waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for Offload {
    fn drop(&mut self) {
        self.queue.end();
    }
}

impl Question {
    fn end(self, outcome: Result<HostAnswer, NoAnswer>) {
        // Where the session has ended, nobody waits; where its queue is full, its board's
        // deadline passes.
        let _ = self.reply.try_send(Verdict {
            frame: self.frame,
            outcome,
        });
    }

    fn urgency(&self) -> (Priority, Instant) {
        (self.priority, self.deadline)
    }
}

#[derive(Debug)]
struct Queue {
    len_max: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they came.
    waiting: Vec<Waiting>,
    ended: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a question; gives the one whose place it takes.
    fn push(&self, new: Waiting) -> Result<Option<Waiting>, NoAnswer> {
        let mut state = self.lock();
        if state.ended {
            return Err(NoAnswer::Ended);
        }
        let mut displaced = None;
        if state.waiting.len() >= self.len_max {
            let priority = new.question.priority;
            let mut waiting = state.waiting.iter();
            let youngest = waiting.rposition(|other| other.question.priority > priority);
            let youngest = youngest.ok_or(NoAnswer::QueueFull)?;
            displaced = Some(state.waiting.remove(youngest));
        }
        state.waiting.push(new);
        self.changed.notify_one();
        Ok(displaced)
    }

    fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// The most urgent question, and others for its plan, as many in all as `batch_max` says;
    /// `None` when the queue has ended.
    fn pop(&self, batch_max: impl Fn(&Digest) -> usize) -> Option<Vec<Waiting>> {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.ended;
        let mut state = self
            .changed
            .wait_while(self.lock(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        let digest = state.most_urgent()?.plan.digest();
        let len_max = batch_max(&digest);
        let few = |state: &mut State| state.count(&digest) < len_max && !state.ended;
        if len_max > 1 {
            let waited = self.changed.wait_timeout_while(state, BATCH_WAIT, few);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        Some(state.take(&digest, len_max))
    }
}

impl State {
    fn most_urgent(&self) -> Option<&Question> {
        if self.ended {
            return None;
        }
        let questions = self.waiting.iter().map(|waiting| &waiting.question);
        questions.min_by_key(|question| question.urgency())
    }

    fn count(&self, digest: &Digest) -> usize {
        let plans = self.waiting.iter().map(|it| it.question.plan.digest());
        plans.filter(|plan| plan == digest).count()
    }

    /// Takes up to `len_max` questions for a plan, the most urgent ones.
    fn take(&mut self, digest: &Digest, len_max: usize) -> Vec<Waiting> {
        let waiting = std::mem::take(&mut self.waiting);
        let is_ours = |it: &Waiting| it.question.plan.digest() == *digest;
        let (mut taken, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_ours);
        self.waiting = rest;
        taken.sort_by_key(|it| it.question.urgency());
        self.waiting.extend(taken.drain(len_max.min(taken.len())..));
        taken
    }
}

/// A plan that can be run.
struct Model {
    plan: Arc<PlanBuf>,
    backend: Box<dyn Backend>,
    executor: Arc<str>,
    /// The shortest time that it has taken for a question.
    each: Duration,
}

impl Model {
    fn open(
        plan: &Arc<PlanBuf>,
        open: &mut impl FnMut(&PlanBuf) -> Opened,
    ) -> Result<Self, BackendError> {
        let (mut backend, executor) = open(plan)?;
        let inputs = plan.plan().manifest().inputs.clone();
        let zeros: Vec<Vec<u8>> = inputs
            .iter()
            .map(|port| vec![0; port.len_bytes()])
            .collect();
        // What is put off until the first run makes it slow: the next ones tell better.
        let begun = Instant::now();
        backend.run(&[zeros.iter().map(Vec::as_slice).collect()])?;
        Ok(Self {
            plan: Arc::clone(plan),
            backend,
            executor: executor.into(),
            each: begun.elapsed(),
        })
    }

    /// Questions that are run at once.
    fn batch_max(&self) -> usize {
        let within = BATCH_TIME_MAX.as_nanos() / self.each.as_nanos().max(1);
        let within = usize::try_from(within).unwrap_or(usize::MAX);
        self.backend.batch_max().min(within).max(1)
    }
}

struct Worker<F> {
    queue: Arc<Queue>,
    models: Vec<Model>,
    open: F,
}

/// However a worker ends, nobody waits for it.
impl<F> Drop for Worker<F> {
    fn drop(&mut self) {
        self.queue.end();
        for waiting in std::mem::take(&mut self.queue.lock().waiting) {
            waiting.question.end(Err(NoAnswer::Ended));
        }
    }
}

impl<F: FnMut(&PlanBuf) -> Opened> Worker<F> {
    fn work(mut self) {
        let queue = Arc::clone(&self.queue);
        loop {
            let models = &self.models;
            let batch_max = |digest: &Digest| {
                let model = models.iter().find(|model| model.plan.digest() == *digest);
                model.map_or(1, Model::batch_max)
            };
            let Some(batch) = queue.pop(batch_max) else {
                return;
            };
            self.answer(batch);
        }
    }

    /// Answers questions for one plan.
    fn answer(&mut self, batch: Vec<Waiting>) {
        let begun = Instant::now();
        let (late, batch): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .filter(|waiting| !waiting.question.reply.is_closed())
            .partition(|waiting| begun >= waiting.question.deadline);
        for waiting in late {
            waiting.question.end(Err(NoAnswer::Late));
        }
        let Some(first) = batch.first() else { return };
        let digest = first.question.plan.digest();
        let model = self
            .models
            .iter_mut()
            .find(|model| model.plan.digest() == digest);
        let outputs = match model {
            None => Err(NoAnswer::NoExecutor),
            Some(model) => run(model, &mut self.open, &batch)
                .map(|outputs| (outputs, Arc::clone(&model.executor)))
                .map_err(NoAnswer::Executor),
        };
        let run = begun.elapsed();
        let (outputs, executor) = match outputs {
            Ok(answered) => answered,
            Err(why) => {
                for waiting in batch {
                    waiting.question.end(Err(why.clone()));
                }
                return;
            }
        };
        for (Waiting { question, since }, answered) in batch.into_iter().zip(outputs) {
            let answer = HostAnswer {
                reading: reading(&question.plan, &answered.outputs),
                outputs: answered.outputs,
                plan: Arc::clone(&question.plan),
                executor: answered.executor.unwrap_or_else(|| Arc::clone(&executor)),
                queue: begun - since,
                run,
            };
            question.end(Ok(answer));
        }
    }
}

/// What the first output says.
fn reading(plan: &PlanBuf, outputs: &Outputs) -> Reading {
    let plan = plan.plan();
    let manifest = plan.manifest();
    let output = outputs.first().map(Vec::as_slice).unwrap_or_default();
    microtome_answer::read(&manifest.task, &manifest.outputs[0], output)
}

/// Runs a batch; where the executor fails, once more on another one.
fn run(
    model: &mut Model,
    open: &mut impl FnMut(&PlanBuf) -> Opened,
    batch: &[Waiting],
) -> Result<Vec<Answered>, BackendError> {
    let samples: Vec<_> = batch
        .iter()
        .map(|waiting| vec![&waiting.question.values[..]])
        .collect();
    let begun = Instant::now();
    let deadlines = batch.iter().map(|waiting| waiting.question.deadline);
    let deadline = deadlines.min().unwrap_or(begun);
    let outputs = match model.backend.run_by(&samples, deadline) {
        Err(error @ BackendError::Failed { .. }) => {
            tracing::warn!(%error, "an executor failed, another one takes its place");
            let plan = Arc::clone(&model.plan);
            *model = Model::open(&plan, open)?;
            model.backend.run_by(&samples, deadline)?
        }
        outputs => outputs?,
    };
    let each = begun.elapsed() / batch.len().max(1) as u32;
    model.each = model.each.min(each);
    Ok(outputs)
}
