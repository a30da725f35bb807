//! One instrument at work: its results into the journal, its questions to the offload queue, the
//! answers back.
//!
//! A result is counted, and acknowledged to the board, once the journal has it for good. What was
//! not acknowledged comes again in the next session, before the results of that; the journal knows
//! what it has. Lost are the frames of an acquisition that have no result when it ends.

mod drain;

use crate::cascade::Cascade;
use crate::clock::ClockOffset;
use crate::frames::{Frames, Settled};
use crate::keep::{self, Keep};
use crate::latency;
use crate::offload::{NoAnswer, Offload, Priority, Question, Verdict};
use crate::patience::Patience;
use crate::plans::Plans;
use crate::record::{self, Origins, Pending, board_us, unix_us};
use crate::session::{Ask, ClockAnswer, Event, Fault, Session, SessionError, TimedResult};
use crate::stop::Stop;
use crate::wait::{changed, until};
use microtome_api::Counts;
use microtome_journal::record::Origin;
use microtome_journal::{
    Calibration, Entry, Frame, Journal, JournalError, Outcome, Provenance, Record, Refused, Sealed,
};
use microtome_ledger::Ledger;
use microtome_link::message::{Acquisition, HELD_MAX};
use microtome_plan::PlanBuf;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// How often an instrument is asked for its clock, and so whether it still lives.
const CLOCK_PERIOD: Duration = Duration::from_secs(5);
/// An instrument that has not stopped by then is given up.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Questions of one instrument that are under way at most; a board asks far fewer at a time.
const QUESTIONS_MAX: usize = 16;

const NOT_IN_ORDER: Fault = Fault::Violation("a result has an impossible number");
const NOT_HELD: Fault = Fault::Violation("it sends results without waiting until they are stored");
const TWO_RESULTS: Fault = Fault::Violation("a frame has two results");
const NOT_UPDATED: Fault = Fault::Violation("it tells of an update while it acquires");
const IMPOSSIBLE_FRAME: Fault = Fault::Violation("a frame has an impossible number");

/// What instruments share.
#[derive(Debug)]
pub struct Services {
    /// The plans of boards and heavier models.
    pub plans: Plans,
    /// Who answers questions; without it the boards are not allowed to ask.
    pub offload: Option<Offload>,
    /// Where results go.
    pub journal: Journal,
    /// How long they took.
    pub ledger: Arc<Ledger>,
}

/// Why an acquisition ended early.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// The session broke.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A result could not be recorded; the board holds it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A result can not be recorded, today or ever.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// An instrument with its session.
pub struct Instrument {
    session: Session,
    services: Arc<Services>,
    /// The board's plan, if the daemon has it.
    plan: Option<Arc<PlanBuf>>,
    cascade: Option<Cascade>,
    clock: ClockOffset,
    /// Questions of frames that have no result yet.
    pending: BTreeMap<u32, Pending>,
    verdicts: (mpsc::Sender<Verdict>, mpsc::Receiver<Verdict>),
    calibration: Option<Calibration>,
    /// Which of its frames the journal gets.
    keep: Keep,
    /// Results that the journal was given and does not have for good, in their order.
    unstored: VecDeque<Unstored>,
    /// What the journal says of them, by their numbers: one word for each, so that there are
    /// [`HELD_MAX`] at most.
    stored: (UnboundedSender<Told>, UnboundedReceiver<Told>),
    /// Number of the next result at least.
    sequence: u64,
    frames: Frames,
    summary: Counts,
    /// Whether the board may ask, in place of what the acquisition says.
    switch: Option<watch::Receiver<bool>>,
    patience: Patience,
}

/// What the journal says of a result, by its number.
type Told = (u64, Outcome);

/// A result on its way into the journal.
struct Unstored {
    sequence: u64,
    record: Record,
}

impl Instrument {
    /// The instrument at the other end of `session`.
    pub fn new(session: Session, services: Arc<Services>) -> Self {
        let identity = session.identity();
        let plan = services.plans.with_digest(&identity.plan);
        if plan.is_none() && identity.plan_fault.is_none() {
            tracing::warn!(
                device = session.device(),
                "the plan of model {} is not listed: its classes have no names",
                identity.model
            );
        }
        let find = |name: &str| services.plans.of_model(name);
        let cascade = plan
            .as_deref()
            .and_then(|plan| match Cascade::new(plan, find) {
                Ok(cascade) => Some(cascade),
                Err(cause) => {
                    tracing::info!(device = session.device(), "no offload: {cause}");
                    None
                }
            });
        Self {
            session,
            services,
            plan,
            cascade,
            clock: ClockOffset::default(),
            pending: BTreeMap::new(),
            verdicts: mpsc::channel(QUESTIONS_MAX),
            calibration: None,
            keep: Keep::None,
            unstored: VecDeque::new(),
            stored: mpsc::unbounded_channel(),
            sequence: 0,
            frames: Frames::default(),
            summary: Counts::default(),
            switch: None,
            patience: Patience::default(),
        }
    }

    /// The same with the calibration that goes into the provenance of its results.
    pub fn calibrated(self, calibration: Option<Calibration>) -> Self {
        Self {
            calibration,
            ..self
        }
    }

    /// The same with the frames that go into the journal with its results.
    pub fn keeping(self, keep: Keep) -> Self {
        Self { keep, ..self }
    }

    /// The same with a switch that says whether the board may ask, at the start and while it
    /// acquires, in place of [`Acquisition::offload`].
    pub fn switched(self, switch: Option<watch::Receiver<bool>>) -> Self {
        Self { switch, ..self }
    }

    /// Frames without a result, when the session broke.
    pub fn open_frames(&self) -> u64 {
        self.frames.lost(None)
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Counts so far, also after an error.
    pub fn summary(&self) -> Counts {
        self.summary
    }

    /// Acquires until the board has all frames or `stop` is wished; `seen` gets every result
    /// after the journal has it for good. Where nobody can answer, the board is told not to ask.
    ///
    /// # Errors
    /// When the session breaks, the board refuses, or the journal fails.
    pub async fn acquire(
        &mut self,
        acquisition: Acquisition,
        stop: &mut Stop,
        seen: &mut (dyn FnMut(&Record) + Send),
    ) -> Result<(), AcquireError> {
        self.frames = Frames::default();
        let origin = self.provenance();
        let frames = self.drive(acquisition, &origin.seal()?, stop, seen).await?;
        let lost = self.frames.lost(Some(frames));
        self.summary.lost += lost;
        self.services.ledger.lose(self.session.device(), lost);
        Ok(())
    }

    /// Where the results of this session come from.
    fn provenance(&self) -> Provenance {
        let (device, identity) = (self.session.device(), self.session.identity());
        let plan = self.plan.as_deref().filter(|_| self.keep != Keep::None);
        let inputs = plan.map(keep::inputs).unwrap_or_default();
        record::provenance(device, identity, self.calibration.clone(), inputs)
    }

    /// Acquires, and gives the number of frames that the board had.
    async fn drive(
        &mut self,
        acquisition: Acquisition,
        provenance: &Sealed,
        stop: &mut Stop,
        seen: &mut (dyn FnMut(&Record) + Send),
    ) -> Result<u32, AcquireError> {
        self.session.ask_clock().await?;
        let mut offload = self.may_ask(&acquisition);
        let start = Acquisition {
            offload,
            ..acquisition
        };
        self.session.start(start).await?;
        let deadline = Duration::from_millis(acquisition.deadline_ms.into());
        let mut clock = interval(CLOCK_PERIOD);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut give_up, mut stopped) = (None, None);
        loop {
            if let (Some(frames), true) = (stopped, self.unstored.is_empty()) {
                // What the board does not hear of, it sends once more, which does no harm.
                let _ = timeout(STOP_TIMEOUT, self.session.flush()).await;
                return Ok(frames);
            }
            tokio::select! {
                event = self.session.next_event() => match event? {
                    Event::Result(result) => self.record(&result, provenance)?,
                    Event::Clock(answer) => self.compare_clocks(answer),
                    Event::Ask(ask) => self.ask(*ask).await?,
                    Event::Stopped { frames } => stopped = Some(frames),
                    Event::Refused(refusal) => return Err(self.session.refused(refusal).into()),
                    Event::Ran(output) => tracing::debug!(output.run, "a forgotten run"),
                    Event::Updated(_) => return Err(self.error(NOT_UPDATED).into()),
                },
                Some(verdict) = self.verdicts.1.recv() => self.deliver(verdict).await?,
                Some(stored) = self.stored.1.recv() => self.acknowledge(stored, seen).await?,
                () = stop.wished(), if give_up.is_none() => {
                    give_up = Some(Instant::now() + deadline + STOP_TIMEOUT);
                    self.session.stop().await?;
                }
                () = until(give_up) => return self.give_up(stopped),
                () = changed(&mut self.switch) => {}
                () = until(self.patience.ends()) => {}
                _ = clock.tick() => self.session.ask_clock().await?,
            }
            let wanted = self.may_ask(&acquisition);
            if wanted != offload {
                self.session.allow_offload(wanted).await?;
                offload = wanted;
            }
        }
    }

    /// Whether the board may ask: it is wished, somebody can answer, and does.
    fn may_ask(&mut self, acquisition: &Acquisition) -> bool {
        let switch = self.switch.as_ref().map(|switch| *switch.borrow());
        let can_answer = self.cascade.is_some() && self.services.offload.is_some();
        can_answer
            && acquisition.deadline_ms > 0
            && switch.unwrap_or(acquisition.offload)
            && self.patience.lasts(Instant::now())
    }

    /// Ends although the board has not, or the journal does not have all.
    fn give_up(&self, stopped: Option<u32>) -> Result<u32, AcquireError> {
        let Some(frames) = stopped else {
            return Err(self.error(Fault::StopTimeout).into());
        };
        let (device, count) = (self.session.device(), self.unstored.len());
        tracing::warn!(
            device,
            "{count} results are not recorded; the board holds them"
        );
        Ok(frames)
    }

    fn compare_clocks(&mut self, answer: ClockAnswer) {
        let board_us = board_us(answer.ticks, self.session.identity().ticks_hz);
        self.clock.watch(std::time::Instant::now(), unix_us());
        self.clock
            .compare(answer.asked_us, board_us, answer.host_us);
    }

    /// Gives a result to the journal.
    fn record(&mut self, timed: &TimedResult, provenance: &Sealed) -> Result<(), AcquireError> {
        let result = &timed.result;
        if result.sequence < self.sequence || result.sequence == u64::MAX {
            return Err(self.error(NOT_IN_ORDER).into());
        }
        if self.unstored.len() == HELD_MAX {
            return Err(self.error(NOT_HELD).into());
        }
        // Results of acquisitions before this session have their frames to themselves.
        if result.acquisition >= self.session.identity().acquisitions {
            match self.frames.settle(result.frame) {
                Settled::Now => {}
                Settled::Before => return Err(self.error(TWO_RESULTS).into()),
                Settled::Never => return Err(self.error(IMPOSSIBLE_FRAME).into()),
            }
        }
        let sequence = result.sequence;
        let (record, frame) = self.compose(timed, provenance);
        let boot = self.session.identity().boot;
        let entry = Entry::new(boot, sequence, provenance, &record)?.with_frame(frame);
        let stored = self.stored.0.clone();
        self.services.journal.submit(entry, move |outcome| {
            // Where the session has ended, the board sends the result again in the next one.
            let _ = stored.send((sequence, outcome));
        })?;
        self.sequence = sequence + 1;
        self.unstored.push_back(Unstored { sequence, record });
        Ok(())
    }

    /// The record of a result, and the frame that is kept with it.
    fn compose(&mut self, timed: &TimedResult, provenance: &Sealed) -> (Record, Option<Frame>) {
        let (result, identity) = (&timed.result, self.session.identity());
        let mut pending = self.pending.remove(&result.frame);
        let frame = pending.as_mut().and_then(|pending| pending.frame.take());
        let answered_us = board_us(result.times.answered, identity.ticks_hz);
        self.clock.watch(std::time::Instant::now(), unix_us());
        self.clock.observe(answered_us, timed.host_us);
        let latency_us = record::latency(timed, pending.as_ref(), &self.clock, identity.ticks_hz);
        let origins = Origins {
            provenance: provenance.hash,
            boot: identity.boot,
            plan: self.plan.as_deref(),
            plans: &self.services.plans,
            answer: pending.as_ref().and_then(|pending| pending.answer.as_ref()),
            clock: self.clock.estimate(),
            kept_frame: frame.as_ref().map(|frame| frame.kept),
        };
        let record = record::record(result, &origins, timed.host_us, latency_us);
        (record, frame)
    }

    /// Counts what the journal has for good, and tells the board.
    async fn acknowledge(
        &mut self,
        first: (u64, Outcome),
        seen: &mut (dyn FnMut(&Record) + Send),
    ) -> Result<(), SessionError> {
        let mut next = Some(first);
        let mut through = first.0;
        while let Some((sequence, outcome)) = next {
            through = sequence;
            // The journal takes results in their order.
            let unstored = self.unstored.pop_front();
            if let Some(Unstored { record, .. }) = unstored.filter(|it| it.sequence == sequence) {
                self.count(&record, outcome, seen);
            }
            next = self.stored.1.try_recv().ok();
        }
        self.session.stored(through).await
    }

    fn count(&mut self, record: &Record, outcome: Outcome, seen: &mut (dyn FnMut(&Record) + Send)) {
        let (device, sequence) = (self.session.device(), record.sequence);
        match outcome {
            Outcome::Known => {
                tracing::debug!(device, sequence, "a result that is recorded came again");
                return;
            }
            Outcome::Recorded { missing: 0, .. } => {}
            Outcome::Recorded { missing, .. } => {
                tracing::warn!(
                    device,
                    sequence,
                    "{missing} results before it never came: does another journal have them?"
                );
            }
        }
        self.summary.count(record);
        for event in self.services.ledger.record(device, record) {
            latency::tell(device, &event);
        }
        if record.origin != Origin::Board {
            let is_answered = record.origin == Origin::Host;
            self.patience.answered(is_answered, Instant::now(), device);
        }
        seen(record);
    }

    /// Puts a question into the queue, or tells the board at once that there is no answer.
    async fn ask(&mut self, ask: Ask) -> Result<(), SessionError> {
        let frame = ask.frame;
        if !self.frames.expect(frame) {
            return Err(self.error(IMPOSSIBLE_FRAME));
        }
        if self.pending.len() == QUESTIONS_MAX {
            self.pending.pop_first();
        }
        self.pending.insert(
            frame,
            Pending {
                host_us: ask.host_us,
                answer: None,
                frame: None,
            },
        );
        let kept = (self.keep == Keep::Asked).then(|| ask.values.clone());
        let submitted = match (&self.cascade, &self.services.offload) {
            (Some(cascade), Some(offload)) => offload.submit(Question {
                frame,
                plan: Arc::clone(&cascade.plan),
                values: cascade.convert(ask.values),
                priority: Priority::Board,
                deadline: ask.deadline.into_std(),
                reply: self.verdicts.0.clone(),
            }),
            _ => Err(NoAnswer::NoExecutor),
        };
        // Its answer need not wait until the frame is packed.
        if let Some(values) = kept {
            self.keep(frame, &values);
        }
        match submitted {
            Ok(()) => Ok(()),
            Err(cause) => {
                self.deliver(Verdict {
                    frame,
                    outcome: Err(cause),
                })
                .await
            }
        }
    }

    /// Keeps a frame until its result comes.
    fn keep(&mut self, frame: u32, values: &[u8]) {
        let packed = self.services.journal.pack(values);
        if packed.is_none() {
            let device = self.session.device();
            tracing::warn!(
                device,
                frame,
                "not kept: too many frames wait for the journal"
            );
        }
        if let Some(pending) = self.pending.get_mut(&frame) {
            pending.frame = packed;
        }
    }

    /// Tells the board what became of its question.
    async fn deliver(&mut self, verdict: Verdict) -> Result<(), SessionError> {
        let frame = verdict.frame;
        let Some(pending) = self.pending.get_mut(&frame) else {
            // The board has gone on without.
            return Ok(());
        };
        match verdict.outcome {
            Ok(answer) => {
                let reading = answer.reading.clone();
                let answerer = record::answerer(&answer);
                pending.answer = Some(answer);
                self.session.answer(frame, reading, answerer).await
            }
            Err(cause) => {
                tracing::warn!(device = self.session.device(), frame, "no answer: {cause}");
                self.session.no_answer(frame).await
            }
        }
    }

    fn error(&self, fault: Fault) -> SessionError {
        SessionError {
            device: self.session.device().to_owned(),
            fault,
        }
    }
}
