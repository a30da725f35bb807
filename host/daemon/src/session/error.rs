//! Why a session ended.

use crate::locate::LocateError;
use crate::transport::TransportError;
use microtome_link::message::Refusal;

/// A session ended, and why.
#[derive(Debug, thiserror::Error)]
#[error("{device}: {fault}")]
pub struct SessionError {
    /// The user's name of the device.
    pub device: String,
    /// What happened.
    pub fault: Fault,
}

/// What ends a session.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The device could not be opened.
    #[error("{0}")]
    Open(TransportError),
    /// It is not known where the device is.
    #[error("{0}")]
    Unplaced(LocateError),
    /// Nobody answers.
    #[error("nobody answers: is the firmware flashed, and the baud rate that of the board?")]
    Silent,
    /// Something is there, but no microtome firmware.
    #[error("it speaks something else (\"{heard}\"): is it the right device and baud rate?")]
    Foreign {
        /// What it said, printable.
        heard: String,
    },
    /// The firmware frames its messages in another way.
    #[error("its firmware has link version {board}, this is {host}: flash the matching firmware")]
    LinkVersion {
        /// The board's version.
        board: u8,
        /// The host's version.
        host: u8,
    },
    /// The firmware has other messages.
    #[error("its firmware has protocol {board}, this is {host}: flash the matching firmware")]
    Protocol {
        /// The board's version.
        board: u16,
        /// The host's version.
        host: u16,
    },
    /// The wire is gone.
    #[error("the device vanished ({0}): is it still plugged in and powered?")]
    Vanished(
        /// What the system said.
        String,
    ),
    /// The board has forgotten the session.
    #[error("the board restarted")]
    Restarted,
    /// The wire is there, but nothing is acknowledged.
    #[error("the board acknowledges nothing any more: reset it")]
    Stalled,
    /// A run did not end.
    #[error("the run did not end in time")]
    RunTimeout,
    /// A step of an update did not end.
    #[error("the board did not end a step of the update in time")]
    UpdateTimeout,
    /// Acquisition did not end when it was told to.
    #[error("acquisition did not stop in time")]
    StopTimeout,
    /// The board said what it must not say.
    #[error("the board broke the protocol: {0}")]
    Violation(
        /// What was wrong.
        &'static str,
    ),
    /// The board has no plan that it can run.
    #[error("the board can not run its plan: {0}")]
    NoPlan(
        /// Why.
        String,
    ),
    /// The board can not do what it was asked.
    #[error("{}", refusal_text(.0))]
    Refused(
        /// Why.
        Box<Refusal>,
    ),
}

impl Fault {
    /// Whether another session may succeed.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Open(_)
                | Self::Silent
                | Self::Foreign { .. }
                | Self::Vanished(_)
                | Self::Restarted
                | Self::Stalled
                | Self::UpdateTimeout
        )
    }
}

fn refusal_text(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Protocol { board } => {
            format!("the board refuses: its firmware has protocol {board}; flash the matching one")
        }
        Refusal::NoPlan => "the board has no plan that it can run: flash one".to_owned(),
        Refusal::NoFrame { frames } => format!("the board's replay store has {frames} frames"),
        Refusal::BadInput => "the board refuses the input: it is not of the plan's size".to_owned(),
        Refusal::Sensor => "the board's sensor failed: check its wiring".to_owned(),
        Refusal::Busy => "the board is busy with another request".to_owned(),
        Refusal::Update(refusal) => refusal.to_string(),
    }
}
