//! From what a board says to what the journal has.
//!
//! Labels are those of the plan whose reading it is; where the daemon does not have that plan, or
//! does not know it, classes are named by their number.

use crate::build::build;
use crate::clock::ClockOffset;
use crate::offload::HostAnswer;
use crate::plans::Plans;
use crate::session::TimedResult;
use microtome_answer::Answer;
use microtome_journal::record::{
    Answer as AnswerRecord, Clock, HeavierModel, Input, Latency, Object, Origin as OriginRecord,
    Ticks,
};
use microtome_journal::{Calibration, Frame, Hash, KeptFrame, Provenance, Record};
use microtome_link::message::{
    ANSWERER_PLAN_LEN, Answerer, ExecutorKind, FrameResult, Identity, Origin,
};
use microtome_plan::{Labels, PlanBuf, Task};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the results of a session come from.
pub(crate) fn provenance(
    device: &str,
    identity: &Identity,
    calibration: Option<Calibration>,
    inputs: Vec<Input>,
) -> Provenance {
    Provenance {
        device: device.to_owned(),
        board: identity.board.as_str().to_owned(),
        unit: identity.unit.as_str().to_owned(),
        firmware: identity.firmware.as_str().to_owned(),
        ticks_hz: identity.ticks_hz,
        model: identity.model.as_str().to_owned(),
        plan: Hash(identity.plan),
        daemon: build().to_owned(),
        calibration,
        inputs,
    }
}

/// What a result is recorded with, besides itself.
pub(crate) struct Origins<'a> {
    pub provenance: Hash,
    pub boot: u64,
    /// The board's plan, if the daemon has it.
    pub plan: Option<&'a PlanBuf>,
    /// The plans that may have answered for it.
    pub plans: &'a Plans,
    /// What the host answered, if it did in this session.
    pub answer: Option<&'a HostAnswer>,
    pub clock: Option<Clock>,
    /// The frame, if it is kept.
    pub kept_frame: Option<KeptFrame>,
}

/// The record of `result`, received at `host_time_us`.
pub(crate) fn record(
    result: &FrameResult,
    origins: &Origins<'_>,
    host_time_us: u64,
    latency_us: Latency,
) -> Record {
    let (heavier, executor) = match result.origin {
        Origin::Host => answered(result.answerer, origins),
        _ => (None, "board".to_owned()),
    };
    let reader = match result.origin {
        Origin::Host => heavier.as_deref(),
        _ => origins.plan,
    };
    let times = &result.times;
    Record {
        host_time_us,
        provenance: origins.provenance,
        boot: format!("{:016x}", origins.boot),
        sequence: result.sequence,
        acquisition: result.acquisition,
        frame: result.frame,
        ticks: Ticks {
            exposed: times.exposed,
            begun: times.begun,
            inferred: times.inferred,
            answered: times.answered,
            signalled: times.signalled,
        },
        clock: origins.clock,
        origin: origin(result.origin),
        executor,
        heavier: heavier.as_deref().map(|plan| HeavierModel {
            model: plan.plan().manifest().model.to_owned(),
            plan: Hash(plan.digest()),
        }),
        answer: answer_record(&result.reading.answer, reader),
        confidence: unit(result.reading.confidence),
        board_confidence: unit(result.board_confidence),
        latency_us,
        kept_frame: origins.kept_frame,
        missed: result.missed,
    }
}

/// A question on its way.
pub(crate) struct Pending {
    /// When the host had it, in microseconds since 1970, UTC.
    pub host_us: u64,
    pub answer: Option<HostAnswer>,
    /// The frame, if it is kept.
    pub frame: Option<Frame>,
}

/// The legs of a result's way.
pub(crate) fn latency(
    timed: &TimedResult,
    pending: Option<&Pending>,
    clock: &ClockOffset,
    ticks_hz: u32,
) -> Latency {
    let times = &timed.result.times;
    let us = |from: u64, to: u64| board_us(to.saturating_sub(from), ticks_hz);
    let legs = Latency {
        wait: us(times.exposed, times.begun),
        inference: us(times.begun, times.inferred),
        total: us(times.exposed, times.answered),
        signal: times.signalled.map(|at| us(times.answered, at)),
        ..Latency::default()
    };
    let answered = timed.result.origin == Origin::Host;
    let Some((pending, answer)) = pending
        .filter(|_| answered)
        .and_then(|pending| Some((pending, pending.answer.as_ref()?)))
    else {
        return legs;
    };
    let asked_us = clock
        .host_us(board_us(times.inferred, ticks_hz))
        .unwrap_or(pending.host_us);
    let to_host = pending.host_us.saturating_sub(asked_us);
    let (queue, executor) = (micros(answer.queue), micros(answer.run));
    let away = us(times.inferred, times.answered);
    Latency {
        to_host: Some(to_host),
        queue: Some(queue),
        executor: Some(executor),
        to_board: Some(away.saturating_sub(to_host + queue + executor)),
        ..legs
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The heavier plan whose reading counts, and what ran it. Where another session answered, the board
/// has given back what that said of itself.
fn answered(answerer: Option<Answerer>, origins: &Origins<'_>) -> (Option<Arc<PlanBuf>>, String) {
    if let Some(answer) = origins.answer {
        return (Some(Arc::clone(&answer.plan)), answer.executor.to_string());
    }
    let Some(answerer) = answerer else {
        return (None, "unknown (an earlier session)".to_owned());
    };
    let kind = match answerer.executor {
        ExecutorKind::Other => "unknown",
        ExecutorKind::Cpu => "cpu",
        ExecutorKind::Gpu => "gpu",
        ExecutorKind::Fleet => "fleet",
    };
    match origins.plans.with_prefix(&answerer.plan) {
        Some(plan) => (Some(plan), format!("{kind} (an earlier session)")),
        None => {
            let plan: String = answerer.plan.map(|byte| format!("{byte:02x}")).concat();
            (None, format!("{kind} (an earlier session, plan {plan}…)"))
        }
    }
}

/// What a board is told of who answers it.
pub(crate) fn answerer(answer: &HostAnswer) -> Answerer {
    let mut plan = [0; ANSWERER_PLAN_LEN];
    plan.copy_from_slice(&answer.plan.digest()[..ANSWERER_PLAN_LEN]);
    // Executors are named for what they are: `cpu (…)`, `gpu (…)`, `fleet: …`.
    let kind = answer.executor.split([' ', ':']).next();
    let executor = match kind {
        Some("cpu") => ExecutorKind::Cpu,
        Some("gpu") => ExecutorKind::Gpu,
        Some("fleet") => ExecutorKind::Fleet,
        _ => ExecutorKind::Other,
    };
    Answerer { plan, executor }
}

/// The answer with the names of the plan that gave it.
pub(crate) fn answer_record(answer: &Answer, plan: Option<&PlanBuf>) -> AnswerRecord {
    let plan = plan.map(PlanBuf::plan);
    let labels = plan.as_ref().and_then(|plan| match plan.manifest().task {
        Task::Raw => None,
        Task::Classify { labels } | Task::Grid { labels, .. } => Some(labels),
    });
    match answer {
        Answer::Raw => AnswerRecord::Raw,
        Answer::Class { class, score } => AnswerRecord::Class {
            class: class_name(labels, usize::from(*class)),
            score: probability(*score),
        },
        Answer::Objects { found, more } => AnswerRecord::Objects {
            found: found
                .iter()
                .map(|object| Object {
                    class: class_name(labels, usize::from(object.class)),
                    score: probability(object.score),
                    x: object.x,
                    y: object.y,
                })
                .collect(),
            more: *more,
        },
    }
}

fn class_name(labels: Option<Labels<'_>>, class: usize) -> String {
    let label = labels.and_then(|labels| labels.get(class));
    label.map_or_else(|| class.to_string(), str::to_owned)
}

fn origin(origin: Origin) -> OriginRecord {
    match origin {
        Origin::Board => OriginRecord::Board,
        Origin::Host => OriginRecord::Host,
        Origin::BoardAfterDeadline => OriginRecord::BoardAfterDeadline,
        Origin::BoardAfterNoAnswer => OriginRecord::BoardAfterNoAnswer,
    }
}

/// A probability in 1/256.
fn probability(score: u8) -> f32 {
    f32::from(score) / 256.0
}

/// A confidence, of which 255 is full.
pub(crate) fn unit(confidence: u8) -> f32 {
    f32::from(confidence) / 255.0
}

/// Ticks of a clock of `ticks_hz` in microseconds.
pub(crate) fn board_us(ticks: u64, ticks_hz: u32) -> u64 {
    let us = u128::from(ticks) * 1_000_000 / u128::from(ticks_hz.max(1));
    u64::try_from(us).unwrap_or(u64::MAX)
}

/// Microseconds since 1970, UTC.
pub(crate) fn unix_us() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
