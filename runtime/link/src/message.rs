//! What host and board say to each other, as postcard messages over the link's channels.
//!
//! The order of enum variants is part of the protocol: append, and raise [`PROTOCOL`] when a
//! meaning changes.

use crate::update::{Update, UpdateRefusal, UpdateState, Updated};
use heapless::String;
use microtome_answer::{DETECTIONS_MAX, Reading};
use serde::{Deserialize, Serialize};

/// Version of the messages. Host and board with different versions refuse to work together.
pub const PROTOCOL: u16 = 3;

/// Results that a board holds at most because the host has not said that they are stored. With so
/// many the board exposes no further frame.
pub const HELD_MAX: usize = 16;

/// Longest name of a board, a model or a build.
pub const NAME_LEN_MAX: usize = 48;

/// Longest reason why a plan can not be run; what is longer is cut.
pub const FAULT_LEN_MAX: usize = 96;

/// Bytes of a plan's digest that tell it from the others that a host has.
pub const ANSWERER_PLAN_LEN: usize = 8;

/// Longest piece of a tensor in one message: the frames around pieces take less than 5 % of a
/// line, and are short enough that one damaged byte in 10,000 costs little more.
pub const PIECE_LEN_MAX: usize = 512;

/// Longest message: the longest of [`ToHost::Result`] (a full list of detections), of a piece and
/// of [`ToHost::Hello`], each encoded at its largest.
pub const MESSAGE_LEN_MAX: usize = {
    // Tag of the message, numbers of the result, of the acquisition and of the frame, origin,
    // confidence, four times and one that may be there, exposures missed, and who
    // answered.
    const RESULT: usize = 1 + 10 + 2 * 5 + 1 + READING + 1 + 4 * 10 + 11 + 5 + 1 + ANSWERER;
    const ANSWERER: usize = ANSWERER_PLAN_LEN + 1;
    // Tag of the answer, number of detections, class, score and place of each, those not
    // listed, and the confidence.
    const READING: usize = 1 + 1 + DETECTIONS_MAX * (1 + 1 + 3 + 3) + 3 + 1;
    const PIECE: usize = 2 + 5 + 2 + PIECE_LEN_MAX;
    const HELLO: usize =
        1 + 3 + 4 * (1 + NAME_LEN_MAX) + 32 + 2 + FAULT_LEN_MAX + 4 * 5 + 10 + 1 + UPDATES;
    // Source, releases, confirmation, key, room, and what was rolled back.
    const UPDATES: usize = 1 + 10 + 1 + 10 + 33 + 5 + 12;
    const LONGEST: usize = if RESULT > PIECE { RESULT } else { PIECE };
    if LONGEST > HELLO { LONGEST } else { HELLO }
};

/// The parts of the traffic. All but the log share one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Requests and what is said about them.
    Control,
    /// Pieces of tensors.
    Tensors,
    /// Results of frames.
    Results,
    /// The board's log: sent once, in order, lost where it does not fit.
    Log,
}

/// A message that can be sent.
pub trait Message: Serialize {
    /// The channel on which it goes.
    fn channel(&self) -> Channel;
}

/// A message as it came, still encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// The channel on which it came: [`Log`] on [`Channel::Log`], otherwise [`ToBoard`] or
    /// [`ToHost`].
    pub channel: Channel,
    /// The encoded message.
    pub body: &'a [u8],
}

/// The bytes are not a message of the type that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message does not decode: does the other side have the same version?")]
pub struct Malformed;

impl<'a> Received<'a> {
    /// Decodes the message.
    ///
    /// # Errors
    /// When the bytes are no such message, or more than one.
    pub fn decode<T: Deserialize<'a>>(&self) -> Result<T, Malformed> {
        match postcard::take_from_bytes(self.body) {
            Ok((message, [])) => Ok(message),
            _ => Err(Malformed),
        }
    }
}

/// A short name.
pub type Name = String<NAME_LEN_MAX>;

/// Why a plan can not be run, in one line.
pub type PlanFault = String<FAULT_LEN_MAX>;

/// From the host to the board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is no allocator to box with"
)]
pub enum ToBoard<'a> {
    /// Asks for [`ToHost::Hello`].
    Hello {
        /// The host's [`PROTOCOL`].
        protocol: u16,
    },
    /// Begins acquisition: the sensor's frames are run one after another.
    Start(Acquisition),
    /// Ends acquisition after the frame at hand; nothing where there is none.
    Stop,
    /// Runs the plan once and returns its raw outputs: zero or more [`ToHost::StepCost`],
    /// the pieces of the outputs, [`ToHost::RunDone`].
    Run {
        /// Names the run.
        run: u32,
        /// Where the input is.
        input: InputSource,
        /// Whether each step's cost is reported.
        profile: bool,
    },
    /// A piece of the input for [`ToBoard::Run`] from the link: the plan's inputs one after
    /// another, in the arena's order. Pieces come in order, the first at offset 0; the input
    /// stays until other frames take its place.
    Input(#[serde(borrow)] Piece<'a>),
    /// The heavier model's reading of a frame that the board asked about.
    Answer {
        /// The frame.
        frame: u32,
        /// The reading.
        reading: Reading,
        /// What read it.
        answerer: Answerer,
    },
    /// The host can not answer for the frame; the board's own answer stands.
    NoAnswer {
        /// The frame.
        frame: u32,
    },
    /// Names the board's start, where no host has named it since. The board has nothing of its own
    /// that differs from one start to the next.
    Boot {
        /// A random number; not 0.
        boot: u64,
    },
    /// The host will not lose these results any more: the board may forget them.
    Stored {
        /// The number of the last of them; all before it are stored, too.
        through: u64,
    },
    /// Asks for [`ToHost::Clock`].
    Clock {
        /// The host's clock when it asked, given back in the answer.
        host_us: u64,
    },
    /// From the next exposure on, the board may ask the host, or may not; what it has asked
    /// already goes its way. Nothing where there is no acquisition.
    Offload {
        /// Whether it may.
        allowed: bool,
    },
    /// A step of an update of the board's plan.
    Update(#[serde(borrow)] Update<'a>),
}

impl Message for ToBoard<'_> {
    fn channel(&self) -> Channel {
        match self {
            Self::Input(_) | Self::Update(Update::Piece(_)) => Channel::Tensors,
            Self::Answer { .. } | Self::NoAnswer { .. } | Self::Stored { .. } => Channel::Results,
            _ => Channel::Control,
        }
    }
}

/// From the board to the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is no allocator to box with"
)]
pub enum ToHost<'a> {
    /// Who the board is and what it runs.
    Hello(Identity),
    /// The final answer for one frame. There is exactly one for each, and it is sent once in a
    /// session; results of earlier sessions that are not stored come again after
    /// [`ToBoard::Start`], before all others.
    Result(FrameResult),
    /// Asks for the heavier model's answer; the pieces of the frame follow as
    /// [`ToHost::Frame`].
    Ask {
        /// The frame.
        frame: u32,
        /// Length of the frame in bytes: the plan's inputs one after another.
        len: u32,
        /// Milliseconds that the board waits for the answer.
        deadline_ms: u32,
        /// The board's own reading.
        reading: Reading,
    },
    /// A piece of the frame that the board last asked about.
    Frame(#[serde(borrow)] Piece<'a>),
    /// What one step of a profiled run cost.
    StepCost {
        /// The run.
        run: u32,
        /// Index of the step.
        step: u16,
        /// The board's ticks from its begin to its end.
        ticks: u64,
    },
    /// A piece of the outputs of a run, one output after another, in the arena's order.
    Output(#[serde(borrow)] Piece<'a>),
    /// A run ended.
    RunDone {
        /// The run.
        run: u32,
        /// The board's ticks of all steps together, input already in place; of a run that was
        /// not profiled, also where each step's cost was asked for.
        ticks: u64,
    },
    /// Acquisition ended.
    Stopped {
        /// Frames that it had.
        frames: u32,
    },
    /// The board can not do what it was asked.
    Refused(Refusal),
    /// The board's clock.
    Clock {
        /// What the host asked with.
        host_us: u64,
        /// Ticks of the board's clock when it answered.
        ticks: u64,
    },
    /// What has become of a step of an update.
    Updated(Updated),
}

impl Message for ToHost<'_> {
    fn channel(&self) -> Channel {
        match self {
            Self::Frame(_) | Self::Output(_) => Channel::Tensors,
            Self::Result(_) | Self::Ask { .. } => Channel::Results,
            _ => Channel::Control,
        }
    }
}

/// A piece of the board's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Log<'a> {
    /// One defmt frame in raw encoding; the board's ELF file has what decodes it.
    Defmt(&'a [u8]),
    /// One line of text, from a board that has no ELF file to decode with.
    Text(&'a str),
    /// So many entries were lost here, because the board had no room to hold them.
    Dropped(u32),
}

impl Message for Log<'_> {
    fn channel(&self) -> Channel {
        Channel::Log
    }
}

/// Where the input of a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputSource {
    /// The pieces that came over the link.
    Link,
    /// A frame of the replay store in the board's flash, by index.
    Replay(u32),
}

/// How frames are acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acquisition {
    /// Number of frames; 0 goes on until [`ToBoard::Stop`].
    pub frames: u32,
    /// Microseconds from one exposure to the next; 0 is as fast as the board can.
    pub period_us: u32,
    /// Whether the board may ask the host.
    pub offload: bool,
    /// Milliseconds that it waits for an answer.
    pub deadline_ms: u32,
    /// What it strives for.
    pub mode: Mode,
}

/// What an acquisition strives for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The most frames: the next one is exposed while the board waits for answers to others. Where
    /// there is a period, a frame that can not be exposed when it is due is exposed late.
    #[default]
    Rate,
    /// The quickest answers: a frame is exposed only when nothing is under way that its own answer
    /// would have to wait for. Where there is a period, a frame that can not be exposed when it is
    /// due is not exposed.
    Latency,
}

/// A piece of a tensor's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece<'a> {
    /// Offset of the piece in the whole.
    pub offset: u32,
    /// At most [`PIECE_LEN_MAX`] bytes.
    pub data: &'a [u8],
}

/// Who the board is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The board's [`PROTOCOL`].
    pub protocol: u16,
    /// Name of the board.
    pub board: Name,
    /// What tells it from others of its kind, such as its chip's number; empty where it has no
    /// such thing.
    pub unit: Name,
    /// Version of its firmware.
    pub firmware: Name,
    /// Name of the plan's model.
    pub model: Name,
    /// Digest of the plan; all zero when there is none, and `plan_fault` says why.
    pub plan: [u8; 32],
    /// Why there is no plan to run.
    pub plan_fault: Option<PlanFault>,
    /// Bytes of arena that the board has.
    pub arena_bytes: u32,
    /// Ticks of the board's clock in one second.
    pub ticks_hz: u32,
    /// Frames in its replay store.
    pub replay_frames: u32,
    /// The name of its start, as [`ToBoard::Boot`] gave it; 0 where none has come.
    pub boot: u64,
    /// Acquisitions since its start.
    pub acquisitions: u32,
    /// How it stands with updates; `None` where it has no flash for them.
    pub updates: Option<UpdateState>,
}

/// The final answer for one frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameResult {
    /// Number of the result, from 0 at the board's start. Results are sent in this order.
    pub sequence: u64,
    /// Number of the acquisition, from 0 at the board's start.
    pub acquisition: u32,
    /// Number of the frame, from 0 at the start of acquisition.
    pub frame: u32,
    /// Where the reading comes from.
    pub origin: Origin,
    /// The reading that counts.
    pub reading: Reading,
    /// Confidence of the board's own reading.
    pub board_confidence: u8,
    /// Ticks of the board's clock along the way.
    pub times: Times,
    /// Exposures that were due since the frame before, or since the start of acquisition, and did
    /// not take place.
    pub missed: u32,
    /// What the host answered with, where its reading counts.
    pub answerer: Option<Answerer>,
}

/// What answered in the board's stead. The board gives it back with the result, so that whoever
/// records that knows it, also where it is not the one who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answerer {
    /// The first bytes of the digest of the heavier model's plan.
    pub plan: [u8; ANSWERER_PLAN_LEN],
    /// What ran it.
    pub executor: ExecutorKind,
}

/// A kind of executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecutorKind {
    /// One that is none of the others.
    Other,
    /// The CPU.
    Cpu,
    /// A GPU.
    Gpu,
    /// Another computer's.
    Fleet,
}

/// Where a reading comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// The board was confident enough, or was not allowed to ask.
    Board,
    /// The host's heavier model.
    Host,
    /// The board asked and no answer came before the deadline: its own reading stands.
    BoardAfterDeadline,
    /// The board asked and the host could not answer: its own reading stands.
    BoardAfterNoAnswer,
}

/// Ticks of the board's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// The frame was exposed.
    pub exposed: u64,
    /// Inference on the board began.
    pub begun: u64,
    /// Inference on the board ended.
    pub inferred: u64,
    /// The final answer was there.
    pub answered: u64,
    /// The answer pin had its new level; `None` where the board has no such pin.
    pub signalled: Option<u64>,
}

/// Why the board refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The host speaks another protocol.
    Protocol {
        /// The board's [`PROTOCOL`].
        board: u16,
    },
    /// There is no valid plan, for the reason in [`Identity::plan_fault`].
    NoPlan,
    /// The replay store has no such frame.
    NoFrame {
        /// Frames that it has.
        frames: u32,
    },
    /// A piece lies outside of the input, or pieces are missing.
    BadInput,
    /// The sensor failed.
    Sensor,
    /// It is acquiring or running already.
    Busy,
    /// A step of an update, for this reason.
    Update(UpdateRefusal),
}
