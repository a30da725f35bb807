//! One result as the journal has it: what was seen, by whom, and how long each leg took; and where
//! it comes from.
//!
//! Both are written as JSON with their fields in the order in which they stand here; the bytes that
//! are stored are the ones that are hashed. The provenance of a result is the same for all results
//! of a session, so it is stored once, under its hash, which every record names. Fields are only ever
//! appended, with a default for the records from before them, which stay as they were.

use crate::error::JournalError;
use crate::frame::KeptFrame;
use crate::hash::Hash;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is the same for all results of a device with its board, firmware, plan and daemon.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The user's name of the device.
    pub device: String,
    /// Name of the board.
    pub board: String,
    /// What tells the board from others of its kind; empty where it has no such thing.
    pub unit: String,
    /// Version of its firmware.
    pub firmware: String,
    /// Ticks of the board's clock in one second.
    pub ticks_hz: u32,
    /// Name of the board's model.
    pub model: String,
    /// Hash of the board's plan; it covers the model's manifest, its weights and all else.
    pub plan: Hash,
    /// Version of the daemon, and the hash of its program.
    pub daemon: String,
    /// The instrument's calibration, where the configuration has one.
    pub calibration: Option<Calibration>,
    /// The inputs of the board's plan, where frames are kept: what a frame is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
}

/// One input of a plan: a part of each frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// The model's name of it.
    pub name: String,
    /// Its extents as the frame has them, the outermost first; images are `[1, rows, columns,
    /// channels]`.
    pub dims: Vec<usize>,
    /// Of each of these axes, its place among the model's own.
    pub order: Vec<u8>,
    /// The type that the model's author gives it.
    pub model_type: String,
    /// The type of its elements in the frame, little-endian.
    pub element: Element,
    /// Scale of int8 elements: `real = scale · (element − zero)`; 1 where they are no quantized
    /// numbers.
    pub scale: f32,
    /// Zero point of int8 elements.
    pub zero: i8,
}

/// The type of the elements of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Element {
    /// int8.
    I8,
    /// int16.
    I16,
    /// int32.
    I32,
    /// 32-bit float.
    F32,
}

impl Element {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
        }
    }
}

impl Input {
    /// Bytes of it; `None` where that is no number.
    pub fn bytes(&self) -> Option<usize> {
        let sizes = self.dims.iter().copied();
        sizes
            .chain([self.element.bytes()])
            .try_fold(1, usize::checked_mul)
    }
}

/// What an instrument was calibrated to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The user's name of the calibration, such as its date.
    pub name: String,
    /// Length in the object plane that one pixel stands for.
    #[serde(default)]
    pub pixel_size_nm: Option<u32>,
}

/// A provenance as it is stored.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Its hash.
    pub hash: Hash,
    pub(crate) bytes: Arc<[u8]>,
}

impl Provenance {
    /// The bytes that are stored, and their hash.
    ///
    /// # Errors
    /// When it can not be encoded.
    pub fn seal(&self) -> Result<Sealed, JournalError> {
        let bytes = serde_json::to_vec(self).map_err(JournalError::encode)?;
        Ok(Sealed {
            hash: Hash::of(&bytes),
            bytes: bytes.into(),
        })
    }
}

/// One result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Microseconds since 1970, UTC, when the host received the result.
    pub host_time_us: u64,
    /// Hash of the [`Provenance`].
    pub provenance: Hash,
    /// The start of the board that the result is from, 16 hexadecimal digits.
    pub boot: String,
    /// Number of the result among those of that start, from 0.
    pub sequence: u64,
    /// Number of the acquisition among those of that start, from 0.
    pub acquisition: u32,
    /// Number of the frame in its acquisition, from 0.
    pub frame: u32,
    /// The board's clock along the way.
    pub ticks: Ticks,
    /// The host's clock against the board's; none before the clocks were compared.
    pub clock: Option<Clock>,
    /// Whose reading it is, and why.
    pub origin: Origin,
    /// What ran the model whose reading it is.
    pub executor: String,
    /// The heavier model, where its reading counts.
    pub heavier: Option<HeavierModel>,
    /// What was seen.
    pub answer: Answer,
    /// Confidence of the reading, 0 to 1.
    pub confidence: f32,
    /// Confidence of the board's own reading, 0 to 1.
    pub board_confidence: f32,
    /// The legs of its way.
    pub latency_us: Latency,
    /// The frame, where it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_frame: Option<KeptFrame>,
    /// Exposures that were due since the frame before, and did not take place.
    #[serde(default)]
    pub missed: u32,
}

/// Ticks of the board's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticks {
    /// The frame was exposed.
    pub exposed: u64,
    /// Inference on the board began.
    pub begun: u64,
    /// Inference on the board ended.
    pub inferred: u64,
    /// The final answer was there.
    pub answered: u64,
    /// The answer pin had its new level; none where the board has no such pin.
    #[serde(default)]
    pub signalled: Option<u64>,
}

/// An estimate of host time minus board time, both in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The estimate.
    pub offset_us: i64,
    /// The truth is not further away from it than this.
    pub uncertainty_us: u64,
}

/// Whose reading counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The board's: it was confident enough, or was not allowed to ask.
    Board,
    /// The heavier model's.
    Host,
    /// The board's: no answer came before the deadline.
    BoardAfterDeadline,
    /// The board's: the host could not answer.
    BoardAfterNoAnswer,
}

impl Origin {
    /// As records have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Board => "board",
            Self::Host => "host",
            Self::BoardAfterDeadline => "board_after_deadline",
            Self::BoardAfterNoAnswer => "board_after_no_answer",
        }
    }
}

/// The model that answered in the board's stead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeavierModel {
    /// Its name.
    pub model: String,
    /// Hash of its plan.
    pub plan: Hash,
}

/// What was seen, with names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
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
        found: Vec<Object>,
        /// How many more there were.
        more: u16,
    },
}

/// One object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// From exposure to the begin of the board's inference.
    pub wait: u64,
    /// The board's inference.
    pub inference: u64,
    /// From its end until the host had the question and the whole frame.
    pub to_host: Option<u64>,
    /// In the offload queue.
    pub queue: Option<u64>,
    /// In the heavier model's executor.
    pub executor: Option<u64>,
    /// From the executor's answer until the board had it.
    pub to_board: Option<u64>,
    /// From exposure to the final answer on the board.
    pub total: u64,
    /// From the final answer to the new level of the answer pin, where the board has one.
    #[serde(default)]
    pub signal: Option<u64>,
}
