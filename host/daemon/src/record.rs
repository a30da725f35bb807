//! One result as the journal has it: what was seen, by whom, and how long each leg took.
//!
//! Labels are those of the plan whose reading it is; where the daemon does not have that plan,
//! classes are named by their number.

use crate::offload::HostAnswer;
use microtome_answer::Answer;
use microtome_link::message::{FrameResult, Identity, Origin};
use microtome_plan::{Digest, Labels, PlanBuf, Task};
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// Microseconds since 1970, UTC, when the host received the result.
    pub host_time_us: u64,
    /// The user's name of the device.
    pub device: String,
    /// Name of the board.
    pub board: String,
    /// Version of its firmware.
    pub firmware: String,
    /// Name of the board's model.
    pub model: String,
    /// Digest of the board's plan, in hexadecimal.
    pub plan: String,
    /// Number of the frame in its acquisition.
    pub frame: u32,
    /// Microseconds on the board's clock when the frame was exposed.
    pub board_time_us: u64,
    /// Whose reading it is, and why.
    pub origin: &'static str,
    /// What ran the model whose reading it is.
    pub executor: String,
    /// The heavier model, where its reading counts.
    pub heavier: Option<HeavierModel>,
    /// What was seen.
    pub answer: AnswerRecord,
    /// Confidence of the reading, 0 to 1.
    pub confidence: f32,
    /// Confidence of the board's own reading, 0 to 1.
    pub board_confidence: f32,
    /// The legs of its way.
    pub latency_us: Latency,
}

/// The model that answered in the board's stead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeavierModel {
    /// Its name.
    pub model: String,
    /// Digest of its plan, in hexadecimal.
    pub plan: String,
}

/// What was seen, with names.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerRecord {
    /// The model has no reading but its raw output.
    Raw,
    /// One class for the whole frame.
    Class {
        /// Its name.
        class: String,
        /// Its probability.
        score: f32,
    },
    /// Objects and where they are.
    Objects {
        /// Those listed.
        found: Vec<ObjectRecord>,
        /// How many more there were.
        more: u16,
    },
}

/// One object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectRecord {
    /// Name of its class.
    pub class: String,
    /// Its probability.
    pub score: f32,
    /// Column of its centre, in input pixels.
    pub x: u16,
    /// Row of its centre, in input pixels.
    pub y: u16,
}

/// Microseconds of each leg; those after inference only where the board asked and was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// From exposure to the begin of the board's inference.
    pub wait: u64,
    /// The board's inference.
    pub inference: u64,
    /// From its end until the host had the question and the whole frame (see [`crate::clock`]).
    pub to_host: Option<u64>,
    /// In the offload queue.
    pub queue: Option<u64>,
    /// In the heavier model's executor.
    pub executor: Option<u64>,
    /// From the executor's answer until the board had it.
    pub to_board: Option<u64>,
    /// From exposure to the final answer on the board.
    pub total: u64,
}

/// What a result is recorded with, besides itself.
pub(crate) struct Origins<'a> {
    pub device: &'a str,
    pub identity: &'a Identity,
    /// The board's plan, if the daemon has it.
    pub plan: Option<&'a PlanBuf>,
    /// What the host answered, if it did.
    pub answer: Option<&'a HostAnswer>,
}

impl Record {
    /// The record of `result`, received at `host_time_us`.
    pub(crate) fn new(
        result: &FrameResult,
        origins: &Origins<'_>,
        host_time_us: u64,
        latency_us: Latency,
    ) -> Self {
        let identity = origins.identity;
        let answer = origins.answer.filter(|_| result.origin == Origin::Host);
        let reader = answer.map(|answer| &*answer.plan).or(origins.plan);
        Self {
            host_time_us,
            device: origins.device.to_owned(),
            board: identity.board.as_str().to_owned(),
            firmware: identity.firmware.as_str().to_owned(),
            model: identity.model.as_str().to_owned(),
            plan: hex(&identity.plan),
            frame: result.frame,
            board_time_us: board_us(result.times.exposed, identity.ticks_hz),
            origin: origin_name(result.origin),
            executor: answer
                .map_or_else(|| "board".to_owned(), |answer| answer.executor.to_string()),
            heavier: answer.map(|answer| HeavierModel {
                model: answer.plan.plan().manifest().model.to_owned(),
                plan: hex(&answer.plan.digest()),
            }),
            answer: AnswerRecord::new(&result.reading.answer, reader),
            confidence: unit(result.reading.confidence),
            board_confidence: unit(result.board_confidence),
            latency_us,
        }
    }
}

impl AnswerRecord {
    fn new(answer: &Answer, plan: Option<&PlanBuf>) -> Self {
        let plan = plan.map(PlanBuf::plan);
        let labels = plan.as_ref().and_then(|plan| match plan.manifest().task {
            Task::Raw => None,
            Task::Classify { labels } | Task::Grid { labels, .. } => Some(labels),
        });
        match answer {
            Answer::Raw => Self::Raw,
            Answer::Class { class, score } => Self::Class {
                class: class_name(labels, usize::from(*class)),
                score: probability(*score),
            },
            Answer::Objects { found, more } => Self::Objects {
                found: found
                    .iter()
                    .map(|object| ObjectRecord {
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
}

fn class_name(labels: Option<Labels<'_>>, class: usize) -> String {
    let label = labels.and_then(|labels| labels.get(class));
    label.map_or_else(|| class.to_string(), str::to_owned)
}

fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Board => "board",
        Origin::Host => "host",
        Origin::BoardAfterDeadline => "board_after_deadline",
        Origin::BoardAfterNoAnswer => "board_after_no_answer",
    }
}

/// A probability in 1/256.
fn probability(score: u8) -> f32 {
    f32::from(score) / 256.0
}

/// A confidence, of which 255 is full.
fn unit(confidence: u8) -> f32 {
    f32::from(confidence) / 255.0
}

/// The digest in hexadecimal.
pub(crate) fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
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
