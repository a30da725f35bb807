//! From what a board says to what the journal has.
//!
//! Labels are those of the plan whose reading it is; where the daemon does not have that plan, or
//! does not know it, classes are named by their number.

use crate::build::build;
use crate::offload::HostAnswer;
use microtome_answer::Answer;
use microtome_journal::record::{
    Answer as AnswerRecord, Clock, HeavierModel, Latency, Object, Origin as OriginRecord, Ticks,
};
use microtome_journal::{Calibration, Hash, Provenance, Record};
use microtome_link::message::{FrameResult, Identity, Origin};
use microtome_plan::{Labels, PlanBuf, Task};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the results of a session come from.
pub(crate) fn provenance(
    device: &str,
    identity: &Identity,
    calibration: Option<Calibration>,
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
    }
}

/// What a result is recorded with, besides itself.
pub(crate) struct Origins<'a> {
    pub provenance: Hash,
    pub boot: u64,
    /// The board's plan, if the daemon has it.
    pub plan: Option<&'a PlanBuf>,
    /// What the host answered, if it did.
    pub answer: Option<&'a HostAnswer>,
    pub clock: Option<Clock>,
}

/// The record of `result`, received at `host_time_us`.
pub(crate) fn record(
    result: &FrameResult,
    origins: &Origins<'_>,
    host_time_us: u64,
    latency_us: Latency,
) -> Record {
    let (answer, reader) = match result.origin {
        Origin::Host => (origins.answer, origins.answer.map(|answer| &*answer.plan)),
        _ => (None, origins.plan),
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
        },
        clock: origins.clock,
        origin: origin(result.origin),
        executor: executor(result.origin, answer),
        heavier: answer.map(|answer| HeavierModel {
            model: answer.plan.plan().manifest().model.to_owned(),
            plan: Hash(answer.plan.digest()),
        }),
        answer: answer_record(&result.reading.answer, reader),
        confidence: unit(result.reading.confidence),
        board_confidence: unit(result.board_confidence),
        latency_us,
    }
}

/// What ran the model whose reading counts.
fn executor(origin: Origin, answer: Option<&HostAnswer>) -> String {
    match (origin, answer) {
        (Origin::Host, Some(answer)) => answer.executor.to_string(),
        // A daemon before this one answered, and did not live to record it.
        (Origin::Host, None) => "unknown (an earlier daemon)".to_owned(),
        _ => "board".to_owned(),
    }
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
