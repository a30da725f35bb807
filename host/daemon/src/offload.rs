//! The offload queue: heavier models answer what boards ask.
//!
//! One worker thread runs one frame after another, in the order in which they came. The queue is
//! bounded; a question that finds it full is refused at once, so that the board does not wait for
//! an answer that would come too late. A question whose deadline has passed before its turn is
//! refused without being run. Nothing here ever blocks a session.

use microtome_answer::Reading;
use microtome_backend::{Backend, BackendError};
use microtome_plan::{Digest, Element, PlanBuf, Port};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Questions that wait at most, unless the user says otherwise.
pub const QUEUE_LEN_DEFAULT: usize = 16;

/// Opens an executor of a plan, with its name as records have it.
pub type Opened = Result<(Box<dyn Backend>, String), BackendError>;

/// A question.
#[derive(Debug)]
pub struct Question {
    /// Number of the frame, given back in the verdict.
    pub frame: u32,
    /// The plan that is to answer.
    pub plan: Arc<PlanBuf>,
    /// Its first input.
    pub values: Vec<u8>,
    /// When nobody waits for the answer any more.
    pub deadline: Instant,
    /// Where the verdict goes; it is dropped where there is no room.
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
    /// The plan that was run.
    pub plan: Arc<PlanBuf>,
    /// What ran it, and why that.
    pub executor: Arc<str>,
    /// Time in the queue.
    pub queue: Duration,
    /// Time in the executor.
    pub run: Duration,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Too many questions wait already.
    #[error("the offload queue is full")]
    QueueFull,
    /// Its turn came after its deadline.
    #[error("its deadline passed in the queue")]
    Late,
    /// The plan was not among those that the queue was started with.
    #[error("no executor was opened for the plan")]
    NoExecutor,
    /// The executor failed.
    #[error("{0}")]
    Executor(BackendError),
    /// The worker is gone.
    #[error("the offload worker has ended")]
    Ended,
}

/// The queue. Its worker ends when it is dropped.
#[derive(Debug)]
pub struct Offload {
    queue: SyncSender<Waiting>,
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
        mut open: impl FnMut(&PlanBuf) -> Opened,
    ) -> Result<Self, BackendError> {
        let mut models = Vec::new();
        for plan in plans {
            let (mut backend, executor) = open(plan)?;
            let inputs = plan.plan().manifest().inputs.clone();
            let zeros: Vec<Vec<u8>> = inputs
                .iter()
                .map(|port| vec![0; port.len_bytes()])
                .collect();
            backend.run(&[zeros.iter().map(Vec::as_slice).collect()])?;
            let (digest, executor) = (plan.digest(), executor.into());
            models.push(Model {
                digest,
                backend,
                executor,
            });
        }
        let (queue, waiting) = sync_channel(queue_len);
        thread::spawn(move || work(&waiting, &mut models));
        Ok(Self { queue })
    }

    /// Takes a question, or refuses it at once.
    ///
    /// # Errors
    /// [`NoAnswer::QueueFull`], or [`NoAnswer::Ended`] after the worker has panicked.
    pub fn submit(&self, question: Question) -> Result<(), NoAnswer> {
        let waiting = Waiting {
            question,
            since: Instant::now(),
        };
        self.queue.try_send(waiting).map_err(|error| match error {
            TrySendError::Full(_) => NoAnswer::QueueFull,
            TrySendError::Disconnected(_) => NoAnswer::Ended,
        })
    }
}

/// A plan that can be run.
struct Model {
    digest: Digest,
    backend: Box<dyn Backend>,
    executor: Arc<str>,
}

fn work(waiting: &Receiver<Waiting>, models: &mut [Model]) {
    while let Ok(Waiting { question, since }) = waiting.recv() {
        let outcome = answer(models, &question, since);
        let verdict = Verdict {
            frame: question.frame,
            outcome,
        };
        // Where the session has ended, nobody waits; where its queue is full, its board's
        // deadline passes.
        let _ = question.reply.try_send(verdict);
    }
}

fn answer(
    models: &mut [Model],
    question: &Question,
    since: Instant,
) -> Result<HostAnswer, NoAnswer> {
    let begun = Instant::now();
    if begun >= question.deadline {
        return Err(NoAnswer::Late);
    }
    let digest = question.plan.digest();
    let model = models.iter_mut().find(|model| model.digest == digest);
    let model = model.ok_or(NoAnswer::NoExecutor)?;
    let outputs = model
        .backend
        .run(&[vec![&question.values[..]]])
        .map_err(NoAnswer::Executor)?;
    let plan = question.plan.plan();
    let manifest = plan.manifest();
    let output = outputs.first().and_then(|outputs| outputs.first());
    let output = output.map(Vec::as_slice).unwrap_or_default();
    Ok(HostAnswer {
        reading: microtome_answer::read(&manifest.task, &manifest.outputs[0], output),
        plan: Arc::clone(&question.plan),
        executor: Arc::clone(&model.executor),
        queue: begun - since,
        run: begun.elapsed(),
    })
}

/// A board's model and the heavier one that it asks.
#[derive(Clone, Debug)]
pub(crate) struct Cascade {
    pub plan: Arc<PlanBuf>,
    /// The bytes of the heavier model's value for each of the board's; `None` where they are the
    /// same.
    converted: Option<Vec<Vec<u8>>>,
}

/// Why a board's questions can not be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoCascade {
    #[error("its plan names no heavier model")]
    NotAsked,
    #[error("there is no plan of its heavier model {0}: compile it and list it under `plans`")]
    Unknown(String),
    #[error("its heavier model {0} takes an input of another shape")]
    Shape(String),
    #[error("its heavier model {0} takes an input of another type")]
    Type(String),
}

impl Cascade {
    /// The heavier model of `board`, which `find` knows by name.
    pub fn new(
        board: &PlanBuf,
        find: impl FnOnce(&str) -> Option<Arc<PlanBuf>>,
    ) -> Result<Self, NoCascade> {
        let board = board.plan();
        let name = board.manifest().cascade.ok_or(NoCascade::NotAsked)?.model;
        let plan = find(name).ok_or_else(|| NoCascade::Unknown(name.to_owned()))?;
        let heavier = plan.plan();
        let (from, to) = (&board.manifest().inputs[0], &heavier.manifest().inputs[0]);
        if heavier.manifest().inputs.len() != 1 || !shape(from).eq(shape(to)) {
            return Err(NoCascade::Shape(name.to_owned()));
        }
        let is_same = from.element == to.element && from.scale == to.scale && from.zero == to.zero;
        let converted = match (from.element, to.element) {
            _ if is_same => None,
            (Element::I8, Element::I8 | Element::F32) => Some(converted(from, to)),
            _ => return Err(NoCascade::Type(name.to_owned())),
        };
        Ok(Self {
            plan: Arc::clone(&plan),
            converted,
        })
    }

    /// The board's frame as the heavier model's input.
    pub fn convert(&self, values: Vec<u8>) -> Vec<u8> {
        match &self.converted {
            Some(table) => values
                .iter()
                .flat_map(|&value| &table[usize::from(value)])
                .copied()
                .collect(),
            None => values,
        }
    }
}

/// The extents of a port in the arena's order.
fn shape(port: &Port<'_>) -> impl Iterator<Item = usize> {
    port.order.iter().map(|&axis| port.dims[usize::from(axis)])
}

/// The bytes that `to` has for each int8 value of `from`.
fn converted(from: &Port<'_>, to: &Port<'_>) -> Vec<Vec<u8>> {
    let convert = |value: u8| {
        let real = from.dequantize(value.cast_signed());
        match to.element {
            Element::F32 => real.to_le_bytes().to_vec(),
            _ => vec![to.quantize(real).cast_unsigned()],
        }
    };
    (0..=u8::MAX).map(convert).collect()
}
