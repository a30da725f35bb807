//! The executor that asks other daemons, and answers itself where none does.
//!
//! Each sample is a question of its own, so that workers can put the questions of many daemons
//! together. A question goes to one worker; when that one is busy, or silent for a third of the
//! time that there is, to another one; the first answer that comes is the one that counts. What is
//! not answered in time, or wrongly, is run by the daemon's own executor, for which time is left
//! where it is fast enough. Integer plans have the same bits everywhere.
//!
//! When no worker answers a whole batch, none is asked for a while.

use crate::connection::is_connected;
use crate::names::Names;
use crate::plans;
use crate::wire::{self, Answer, Status};
use async_nats::client::Request;
use async_nats::jetstream::Context;
use async_nats::{Client, Message, RequestErrorKind, Subject};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, FuturesUnordered};
use microtome_backend::{Answered, Backend, BackendError, Inputs, Outputs, check_inputs};
use microtome_plan::{PlanBuf, Port};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::{sleep_until, timeout};

/// Questions of one executor that are under way at a time.
pub const IN_FLIGHT_MAX: usize = 32;
/// Workers that are asked the same at most.
pub const ATTEMPTS_MAX: u32 = 3;
/// How long an answer is waited for where the question has no deadline.
const WAIT_DEFAULT: Duration = Duration::from_secs(1);
/// How long no worker is asked after none has answered, at first.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// And at last.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// A plan is put into the store again no sooner than so long after the last time.
const PUT_PERIOD: Duration = Duration::from_secs(10);

/// What questions have in common.
#[derive(Clone)]
pub(crate) struct Asker {
    pub client: Client,
    pub context: Context,
    pub names: Names,
    pub runtime: Handle,
}

/// Counts of what an executor asked, since it was opened.
#[derive(Debug, Default)]
pub struct Counts {
    /// Answers of workers that were taken.
    pub answered: AtomicU64,
    /// Samples that the daemon's own executor ran.
    pub local: AtomicU64,
    /// Questions that went to a second or third worker.
    pub resent: AtomicU64,
    /// Answers that were none.
    pub refused: AtomicU64,
}

/// An executor of one plan that asks others.
pub struct RemoteBackend {
    asking: Arc<Asking>,
    local: Box<dyn Backend>,
    /// What the daemon's own executor is called where it answers.
    local_name: Arc<str>,
    /// The shortest time that it took for a sample.
    local_each: Duration,
    /// Until when no worker is asked, and the pause after that.
    pause: Option<(Instant, Duration)>,
    /// Whether a plan fits was found out.
    is_too_long: bool,
}

/// The part that runs beside the executor's thread.
struct Asking {
    asker: Asker,
    plan: PlanBuf,
    subject: Subject,
    outputs: Vec<usize>,
    counts: Arc<Counts>,
    /// When the plan was last put into the store.
    put: Mutex<Option<Instant>>,
}

impl RemoteBackend {
    pub(crate) fn new(
        asker: Asker,
        plan: PlanBuf,
        (local, local_name): (Box<dyn Backend>, String),
    ) -> Self {
        let subject = asker.names.run(&plan.digest()).into();
        let outputs = {
            let plan = plan.plan();
            plan.manifest()
                .outputs
                .iter()
                .map(Port::len_bytes)
                .collect()
        };
        Self {
            asking: Arc::new(Asking {
                asker,
                plan,
                subject,
                outputs,
                counts: Arc::default(),
                put: Mutex::new(None),
            }),
            local,
            local_name: local_name.into(),
            local_each: Duration::ZERO,
            pause: None,
            is_too_long: false,
        }
    }

    /// What became of its samples.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.asking.counts)
    }

    /// What workers answer, as far as they do.
    fn ask(&mut self, samples: &[Inputs<'_>], deadline: Option<Instant>) -> Vec<Option<Answered>> {
        let now = Instant::now();
        let none = || samples.iter().map(|_| None).collect();
        let is_paused = self.pause.is_some_and(|(until, _)| now < until);
        if is_paused || !is_connected(&self.asking.asker.client) || !self.fits() {
            return none();
        }
        let until = self.until(now, deadline, samples.len());
        let (sender, answers) = mpsc::sync_channel(1);
        let (asking, questions) = (Arc::clone(&self.asking), samples.iter().map(wire::question));
        let questions: Vec<Bytes> = questions.collect();
        self.asking.asker.runtime.spawn(async move {
            // Nobody waits any more where the runtime was late.
            let _ = sender.send(asking.ask_all(questions, until).await);
        });
        let longest = until.saturating_duration_since(now) + WAIT_DEFAULT;
        let answers = answers.recv_timeout(longest).unwrap_or_else(|_| none());
        self.pause = match answers.iter().any(Option::is_some) {
            true => None,
            false => {
                let pause = self.pause.map_or(PAUSE_MIN, |(_, pause)| pause);
                Some((Instant::now() + pause, (pause * 2).min(PAUSE_MAX)))
            }
        };
        answers
    }

    /// Whether questions and answers fit into messages of the server.
    fn fits(&mut self) -> bool {
        let payload_max = self.asking.asker.client.max_payload();
        let fits = wire::fits(self.asking.plan.plan().manifest(), payload_max);
        if !fits && !self.is_too_long {
            tracing::warn!(
                "fleet: {} has longer inputs or outputs than a message of the server, \
                 {payload_max} bytes: its questions are not passed on; max_payload in the \
                 server's configuration sets this limit",
                self.asking.plan.plan().manifest().model
            );
        }
        self.is_too_long = !fits;
        fits
    }

    /// Until when answers are waited for: so long that the daemon's own executor has time left,
    /// unless that would take most of it.
    fn until(&self, now: Instant, deadline: Option<Instant>, samples: usize) -> Instant {
        let Some(deadline) = deadline else {
            return now + WAIT_DEFAULT;
        };
        let samples = u32::try_from(samples).unwrap_or(u32::MAX);
        let left = deadline.saturating_duration_since(now);
        let own = self.local_each.saturating_mul(samples);
        match own <= left / 2 {
            true => now + (left - own),
            false => deadline,
        }
    }

    /// Runs samples on this computer.
    fn run_here(&mut self, samples: &[Inputs<'_>]) -> Result<Vec<Outputs>, BackendError> {
        let begun = Instant::now();
        let outputs = self.local.run(samples)?;
        let count = u32::try_from(samples.len()).unwrap_or(u32::MAX).max(1);
        let each = begun.elapsed() / count;
        self.local_each = match self.local_each {
            Duration::ZERO => each,
            before => before.min(each),
        };
        let count = samples.len() as u64;
        self.asking.counts.local.fetch_add(count, Ordering::Relaxed);
        Ok(outputs)
    }

    fn run_until(
        &mut self,
        samples: &[Inputs<'_>],
        deadline: Option<Instant>,
    ) -> Result<Vec<Answered>, BackendError> {
        check_inputs(self.asking.plan.plan().manifest(), samples)?;
        if self.local_each == Duration::ZERO {
            // The first one tells how much time this takes.
            self.run_here(&samples[..samples.len().min(1)])?;
        }
        let mut answers = self.ask(samples, deadline);
        let missing = answers.iter().zip(samples);
        let missing = missing.filter(|(answer, _)| answer.is_none());
        let missing: Vec<Inputs<'_>> = missing.map(|(_, sample)| sample.clone()).collect();
        let here = match missing.is_empty() {
            true => Vec::new(),
            false => self.run_here(&missing)?,
        };
        let places = answers.iter_mut().filter(|answer| answer.is_none());
        for (place, outputs) in places.zip(here) {
            *place = Some(Answered {
                outputs,
                executor: Some(Arc::clone(&self.local_name)),
            });
        }
        Ok(answers.into_iter().flatten().collect())
    }
}

impl Backend for RemoteBackend {
    fn name(&self) -> String {
        format!("fleet, else {}", self.local_name)
    }

    fn batch_max(&self) -> usize {
        IN_FLIGHT_MAX
    }

    fn run(&mut self, samples: &[Inputs<'_>]) -> Result<Vec<Outputs>, BackendError> {
        let answered = self.run_until(samples, None)?;
        Ok(answered.into_iter().map(|answer| answer.outputs).collect())
    }

    fn run_by(
        &mut self,
        samples: &[Inputs<'_>],
        deadline: Instant,
    ) -> Result<Vec<Answered>, BackendError> {
        self.run_until(samples, Some(deadline))
    }
}

/// What to do after a worker has spoken.
enum Next {
    Taken(Answered),
    AskAnother,
    GiveUp,
}

impl Asking {
    /// Asks all questions at once; their answers in their order.
    async fn ask_all(
        self: Arc<Self>,
        questions: Vec<Bytes>,
        until: Instant,
    ) -> Vec<Option<Answered>> {
        let asked = stream::iter(questions).map(|question| self.ask(question, until));
        let answers = asked.buffered(IN_FLIGHT_MAX).collect::<Vec<_>>().await;
        let count = answers.iter().flatten().count() as u64;
        self.counts.answered.fetch_add(count, Ordering::Relaxed);
        answers
    }

    async fn ask(&self, question: Bytes, until: Instant) -> Option<Answered> {
        let patience = until.saturating_duration_since(Instant::now()) / ATTEMPTS_MAX;
        let mut attempts = FuturesUnordered::new();
        let mut patient_until = Instant::now();
        let mut left = ATTEMPTS_MAX;
        loop {
            if left > 0 && (attempts.is_empty() || Instant::now() >= patient_until) {
                if left < ATTEMPTS_MAX {
                    self.counts.resent.fetch_add(1, Ordering::Relaxed);
                }
                attempts.push(self.attempt(question.clone(), until));
                patient_until = Instant::now() + patience;
                left -= 1;
            }
            let wake_at = if left > 0 {
                patient_until.min(until)
            } else {
                until
            };
            tokio::select! {
                Some(next) = attempts.next() => match next {
                    Next::Taken(answer) => return Some(answer),
                    Next::AskAnother if left == 0 && attempts.is_empty() => return None,
                    Next::AskAnother => {}
                    Next::GiveUp => return None,
                },
                () = sleep_until(wake_at.into()) => {}
            }
            // Without its connection, no answer finds the way back.
            if Instant::now() >= until || !is_connected(&self.asker.client) {
                return None;
            }
        }
    }

    /// Asks one worker.
    async fn attempt(&self, question: Bytes, until: Instant) -> Next {
        let wait = until.saturating_duration_since(Instant::now());
        let request = Request::new()
            .payload(question)
            .headers(wire::question_headers(wait))
            .timeout(None);
        let request = self
            .asker
            .client
            .send_request(self.subject.clone(), request);
        match timeout(wait, request).await {
            Ok(Ok(message)) => self.judge(&message),
            // Nobody is there, or the connection is not: asking again does not help.
            Ok(Err(error)) => {
                if error.kind() != RequestErrorKind::NoResponders {
                    tracing::debug!("fleet: a question was not sent: {error}");
                }
                Next::GiveUp
            }
            Err(_) => Next::GiveUp,
        }
    }

    fn judge(&self, message: &Message) -> Next {
        match wire::answer(message, &self.plan.digest(), &self.outputs) {
            Ok(Answer::Done { outputs, executor }) => Next::Taken(Answered {
                outputs,
                executor: Some(executor.into()),
            }),
            Ok(Answer::NotDone(Status::Late)) => Next::GiveUp,
            Ok(Answer::NotDone(Status::NoPlan)) => {
                self.put_again();
                Next::AskAnother
            }
            Ok(Answer::NotDone(_)) => Next::AskAnother,
            Err(why) => {
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
                tracing::warn!("fleet: an answer is not taken: {why}");
                Next::AskAnother
            }
        }
    }

    /// Puts the plan into the store in the place of what workers can not use.
    fn put_again(&self) {
        let mut put = self.put.lock().unwrap_or_else(PoisonError::into_inner);
        if put.is_some_and(|at| at.elapsed() < PUT_PERIOD) {
            return;
        }
        *put = Some(Instant::now());
        let (context, plan) = (self.asker.context.clone(), self.plan.clone());
        tokio::spawn(async move {
            if let Err(why) = plans::put(&context, &plan, true).await {
                tracing::warn!("fleet: a plan is not in the store: {why}");
            }
        });
    }
}
