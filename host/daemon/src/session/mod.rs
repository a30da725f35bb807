//! A conversation with one board: the link driven over a wire, and typed requests and events.
//!
//! A [`Session`] has no task of its own: the link works while one of its methods is awaited, so
//! whoever does not take events slows the board down, and nothing piles up. Every wait is bounded:
//! by [`HANDSHAKE_TIMEOUT`], [`RUN_TIMEOUT`], [`UPDATE_TIMEOUT`], or, for a board that does not even acknowledge,
//! [`STALL_TIMEOUT`]. After an error the session is of no more use: open another one.
//!
//! What results and questions mean is left to `instrument`, the order of an update's steps to
//! `update`.

mod error;
mod inbound;
mod line;
mod update;

pub use error::{Fault, SessionError};
pub use inbound::{Ask, ClockAnswer, Event, RunOutput, TimedResult};
pub use update::UPDATE_TIMEOUT;

use crate::log::DeviceLog;
use crate::record::unix_us;
use crate::transport::{self, Wire};
use line::Line;
use microtome_answer::Reading;
use microtome_link::ToBoard;
use microtome_link::message::{
    Acquisition, Answerer, Identity, InputSource, PIECE_LEN_MAX, Piece, Refusal,
};
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

/// A board that has not introduced itself by then is given up.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);
/// A run that has not ended by then is given up.
pub const RUN_TIMEOUT: Duration = Duration::from_secs(300);
/// A board that has acknowledged nothing for so long is given up.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the input of a run is.
#[derive(Clone, Copy, Debug)]
pub enum RunInput<'a> {
    /// The int8 values of every input port, one after another, in the arena's order.
    Values(&'a [u8]),
    /// A frame of the board's replay store, by index.
    Replay(u32),
}

/// A session with one board.
pub struct Session {
    device: String,
    line: Line,
    identity: Identity,
    runs: u32,
}

impl Session {
    /// Opens the serial device at `path` and shakes hands; the device's log goes to `log`.
    ///
    /// # Errors
    /// [`SessionError`] when the device can not be opened, is silent, speaks something else or has
    /// another protocol.
    pub async fn open(path: &Path, baud: u32, log: DeviceLog) -> Result<Self, SessionError> {
        let wire = transport::open(path, baud)
            .await
            .map_err(|error| session_error(log.device(), Fault::Open(error)))?;
        Self::over(wire, log).await
    }

    /// Shakes hands over a wire that is open already.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn over(wire: impl Wire, log: DeviceLog) -> Result<Self, SessionError> {
        let device = log.device().to_owned();
        let mut line = Line::new(wire, log);
        let identity = match timeout(HANDSHAKE_TIMEOUT, line.introduce()).await {
            Ok(introduced) => introduced.map_err(|fault| session_error(&device, fault))?,
            Err(_) => return Err(session_error(&device, line.no_introduction())),
        };
        Ok(Self {
            device,
            line,
            identity,
            runs: 0,
        })
    }

    /// Who the board is and what it runs.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The user's name of the device.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Begins acquisition. Whether the board agrees is said by the events that follow.
    ///
    /// # Errors
    /// When the session breaks.
    pub async fn start(&mut self, acquisition: Acquisition) -> Result<(), SessionError> {
        self.send(&ToBoard::Start(acquisition)).await
    }

    /// Ends acquisition; [`Event::Stopped`] follows if there is any.
    ///
    /// # Errors
    /// When the session breaks.
    pub async fn stop(&mut self) -> Result<(), SessionError> {
        self.send(&ToBoard::Stop).await
    }

    /// Says whether the board may ask from its next frame on, while it acquires.
    ///
    /// # Errors
    /// When the session breaks.
    pub async fn allow_offload(&mut self, allowed: bool) -> Result<(), SessionError> {
        self.send(&ToBoard::Offload { allowed }).await
    }

    /// Answers [`Event::Ask`].
    ///
    /// # Errors
    /// When the session breaks.
    pub async fn answer(
        &mut self,
        frame: u32,
        reading: Reading,
        answerer: Answerer,
    ) -> Result<(), SessionError> {
        self.send(&ToBoard::Answer {
            frame,
            reading,
            answerer,
        })
        .await
    }

    /// Tells the board that [`Event::Ask`] gets no answer.
    ///
    /// # Errors
    /// When the session breaks.
    pub async fn no_answer(&mut self, frame: u32) -> Result<(), SessionError> {
        self.send(&ToBoard::NoAnswer { frame }).await
    }

    /// Tells the board that its results up to number `through` can not be lost any more.
    ///
    /// # Errors
    /// When the session breaks.
    pub async fn stored(&mut self, through: u64) -> Result<(), SessionError> {
        self.send(&ToBoard::Stored { through }).await
    }

    /// Asks for the board's clock; [`Event::Clock`] follows. The death of a board is noticed by the
    /// acknowledgement that does not come.
    ///
    /// # Errors
    /// When the session breaks.
    pub async fn ask_clock(&mut self) -> Result<(), SessionError> {
        let host_us = unix_us();
        self.send(&ToBoard::Clock { host_us }).await
    }

    /// Runs the board's plan once, outside of acquisition.
    ///
    /// # Errors
    /// When the board refuses or the session breaks.
    pub async fn run(
        &mut self,
        input: RunInput<'_>,
        profile: bool,
    ) -> Result<RunOutput, SessionError> {
        let done = timeout(RUN_TIMEOUT, self.run_unbounded(input, profile)).await;
        done.unwrap_or_else(|_| Err(self.error(Fault::RunTimeout)))
    }

    async fn run_unbounded(
        &mut self,
        input: RunInput<'_>,
        profile: bool,
    ) -> Result<RunOutput, SessionError> {
        self.runs = self.runs.wrapping_add(1);
        let run = self.runs;
        self.line.inbound.begin_run();
        let input = match input {
            RunInput::Replay(frame) => InputSource::Replay(frame),
            RunInput::Values(values) => {
                self.send_values(values).await?;
                InputSource::Link
            }
        };
        self.send(&ToBoard::Run {
            run,
            input,
            profile,
        })
        .await?;
        loop {
            match self.next_event().await? {
                Event::Ran(output) if output.run == run => return Ok(output),
                Event::Refused(refusal) => return Err(self.refused(refusal)),
                other => tracing::debug!(device = self.device, ?other, "not of this run"),
            }
        }
    }

    async fn send_values(&mut self, values: &[u8]) -> Result<(), SessionError> {
        let mut offset = 0;
        for data in values.chunks(PIECE_LEN_MAX) {
            self.send(&ToBoard::Input(Piece { offset, data })).await?;
            offset += data.len() as u32;
        }
        Ok(())
    }

    /// What happens next. May be given up (`select!`) without loss.
    ///
    /// # Errors
    /// When the device vanishes, the board restarts or breaks the protocol.
    pub async fn next_event(&mut self) -> Result<Event, SessionError> {
        loop {
            if let Some(event) = self.line.inbound.pop() {
                return Ok(event);
            }
            self.turn().await?;
        }
    }

    async fn turn(&mut self) -> Result<(), SessionError> {
        let turned = self.line.turn().await;
        turned.map_err(|fault| session_error(&self.device, fault))
    }

    /// Waits until everything that was sent has arrived.
    ///
    /// # Errors
    /// When the session breaks.
    pub async fn flush(&mut self) -> Result<(), SessionError> {
        self.line
            .flush()
            .await
            .map_err(|fault| session_error(&self.device, fault))
    }

    async fn send(&mut self, message: &ToBoard<'_>) -> Result<(), SessionError> {
        self.line
            .push(message)
            .await
            .map_err(|fault| session_error(&self.device, fault))
    }

    /// The error that a refusal is.
    pub(crate) fn refused(&self, refusal: Refusal) -> SessionError {
        self.error(match (&refusal, &self.identity.plan_fault) {
            (Refusal::NoPlan, Some(fault)) => Fault::NoPlan(fault.as_str().to_owned()),
            _ => Fault::Refused(Box::new(refusal)),
        })
    }

    pub(crate) fn error(&self, fault: Fault) -> SessionError {
        session_error(&self.device, fault)
    }
}

fn session_error(device: &str, fault: Fault) -> SessionError {
    SessionError {
        device: device.to_owned(),
        fault,
    }
}
