//! What comes from a board: messages put together to events.
//!
//! Pieces must come in order and without holes, as the link delivers them. A board that promises
//! more than the limits here is not believed.

use super::Fault;
use crate::log::DeviceLog;
use crate::record::unix_us;
use microtome_answer::Reading;
use microtome_link::message::{Channel, FrameResult, Identity, Piece, Received, Refusal};
use microtome_link::update::Updated;
use microtome_link::{Link, Log, ToHost, frame};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Events that wait for the session's owner; the link waits when there are more.
const EVENTS_MAX: usize = 64;
/// Longest frame that a board may ask about.
const FRAME_BYTES_MAX: usize = 16 << 20;
/// Longest outputs of a run.
const OUTPUT_BYTES_MAX: usize = 64 << 20;
/// Most steps of a run.
const STEPS_MAX: usize = 1 << 16;

/// What a board tells.
#[derive(Clone, Debug)]
pub enum Event {
    /// The final answer for a frame.
    Result(Box<TimedResult>),
    /// The board wants a heavier model's answer.
    Ask(Box<Ask>),
    /// A run ended.
    Ran(RunOutput),
    /// Acquisition ended.
    Stopped {
        /// Frames that it had.
        frames: u32,
    },
    /// The board can not do what it was asked.
    Refused(Refusal),
    /// The board told its clock.
    Clock(ClockAnswer),
    /// A step of an update ended.
    Updated(Updated),
}

/// The board's clock between two times of the host's.
#[derive(Clone, Copy, Debug)]
pub struct ClockAnswer {
    /// When it was asked, in microseconds since 1970, UTC.
    pub asked_us: u64,
    /// Ticks of the board's clock.
    pub ticks: u64,
    /// When the answer came.
    pub host_us: u64,
}

/// A result and when it came.
#[derive(Clone, Debug)]
pub struct TimedResult {
    /// The result.
    pub result: FrameResult,
    /// Microseconds since 1970, UTC.
    pub host_us: u64,
}

/// A question with its whole frame.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Number of the frame.
    pub frame: u32,
    /// The plan's first input, int8 in the arena's order.
    pub values: Vec<u8>,
    /// The board's own reading.
    pub reading: Reading,
    /// When the question came.
    pub asked: Instant,
    /// When the board stops waiting: no later than it was told to, counted from the question.
    pub deadline: Instant,
    /// Microseconds since 1970, UTC, when the last piece had come.
    pub host_us: u64,
}

/// What a run gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOutput {
    /// Number of the run in its session.
    pub run: u32,
    /// The int8 values of every output port, one after another, in the arena's order.
    pub values: Vec<u8>,
    /// The board's ticks of all steps together.
    pub ticks: u64,
    /// The board's ticks of each step, if they were asked for.
    pub step_ticks: Vec<u64>,
}

impl RunOutput {
    /// The values of each output port, of whose lengths there must be as many as the board sent;
    /// `None` otherwise.
    pub fn split(&self, lens: impl IntoIterator<Item = usize>) -> Option<Vec<Vec<u8>>> {
        let mut rest = &self.values[..];
        let mut outputs = Vec::new();
        for len in lens {
            let (output, tail) = rest.split_at_checked(len)?;
            outputs.push(output.to_vec());
            rest = tail;
        }
        rest.is_empty().then_some(outputs)
    }
}

/// The state of what comes in.
pub(super) struct Inbound {
    log: DeviceLog,
    events: VecDeque<Event>,
    identity: Option<Identity>,
    /// The question whose frame is coming, with the length that was promised.
    ask: Option<(Ask, usize)>,
    run: RunOutput,
}

impl Inbound {
    pub fn new(log: DeviceLog) -> Self {
        let (events, run) = (VecDeque::new(), RunOutput::default());
        Self {
            log,
            events,
            identity: None,
            ask: None,
            run,
        }
    }

    /// The introduction, if one has come; it is handed out once.
    pub fn identity(&mut self) -> Option<Identity> {
        self.identity.take()
    }

    pub fn pop(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Forgets what is left of a run that was given up.
    pub fn begin_run(&mut self) {
        self.run = RunOutput::default();
    }

    /// Takes messages from the link for as long as there is room.
    pub fn collect(&mut self, link: &mut Link) -> Result<(), Fault> {
        while self.events.len() < EVENTS_MAX {
            match link.poll_event() {
                None => break,
                Some(microtome_link::Event::Opened) => {}
                Some(microtome_link::Event::Closed) => return Err(Fault::Restarted),
                Some(microtome_link::Event::OtherVersion(board)) => {
                    return Err(Fault::LinkVersion {
                        board,
                        host: frame::VERSION,
                    });
                }
                Some(microtome_link::Event::Message(message)) => self.accept(&message)?,
            }
        }
        Ok(())
    }

    fn accept(&mut self, message: &Received<'_>) -> Result<(), Fault> {
        const FOREIGN: Fault = Fault::Violation("a message does not decode");
        if message.channel == Channel::Log {
            self.log
                .show(&message.decode::<Log<'_>>().map_err(|_| FOREIGN)?);
            return Ok(());
        }
        match message.decode::<ToHost<'_>>().map_err(|_| FOREIGN)? {
            ToHost::Hello(identity) => self.identity = Some(identity),
            ToHost::Result(result) => {
                let timed = TimedResult {
                    result,
                    host_us: unix_us(),
                };
                self.events.push_back(Event::Result(Box::new(timed)));
            }
            ToHost::Ask {
                frame,
                len,
                deadline_ms,
                reading,
            } => {
                self.begin_ask(frame, len, deadline_ms, reading)?;
            }
            ToHost::Frame(piece) => self.extend_ask(&piece)?,
            ToHost::StepCost { ticks, .. } => {
                if self.run.step_ticks.len() == STEPS_MAX {
                    return Err(Fault::Violation("a run has too many steps"));
                }
                self.run.step_ticks.push(ticks);
            }
            ToHost::Output(piece) => extend(&mut self.run.values, &piece, OUTPUT_BYTES_MAX)?,
            ToHost::RunDone { run, ticks } => {
                let output = std::mem::take(&mut self.run);
                self.events.push_back(Event::Ran(RunOutput {
                    run,
                    ticks,
                    ..output
                }));
            }
            ToHost::Stopped { frames } => self.events.push_back(Event::Stopped { frames }),
            ToHost::Updated(updated) => self.events.push_back(Event::Updated(updated)),
            ToHost::Refused(refusal) => self.events.push_back(Event::Refused(refusal)),
            ToHost::Clock { host_us, ticks } => self.events.push_back(Event::Clock(ClockAnswer {
                asked_us: host_us,
                ticks,
                host_us: unix_us(),
            })),
        }
        Ok(())
    }

    fn begin_ask(
        &mut self,
        frame: u32,
        len: u32,
        deadline_ms: u32,
        reading: Reading,
    ) -> Result<(), Fault> {
        let len = len as usize;
        if len == 0 || len > FRAME_BYTES_MAX {
            return Err(Fault::Violation(
                "a question is about a frame of impossible size",
            ));
        }
        let asked = Instant::now();
        let deadline = asked + Duration::from_millis(u64::from(deadline_ms));
        let values = Vec::with_capacity(len);
        self.ask = Some((
            Ask {
                frame,
                values,
                reading,
                asked,
                deadline,
                host_us: 0,
            },
            len,
        ));
        Ok(())
    }

    fn extend_ask(&mut self, piece: &Piece<'_>) -> Result<(), Fault> {
        let (mut ask, len) = self
            .ask
            .take()
            .ok_or(Fault::Violation("a frame without question"))?;
        extend(&mut ask.values, piece, len)?;
        if ask.values.len() == len {
            ask.host_us = unix_us();
            self.events.push_back(Event::Ask(Box::new(ask)));
        } else {
            self.ask = Some((ask, len));
        }
        Ok(())
    }
}

fn extend(values: &mut Vec<u8>, piece: &Piece<'_>, len_max: usize) -> Result<(), Fault> {
    if piece.offset as usize != values.len() || values.len() + piece.data.len() > len_max {
        return Err(Fault::Violation("a piece of a tensor is out of place"));
    }
    values.extend_from_slice(piece.data);
    Ok(())
}
