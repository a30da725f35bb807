//! Two pins that tell of each frame, for a scope or a counter.
//!
//! | pin | rises | falls |
//! |---|---|---|
//! | exposure | right before the sensor exposes | when the board's inference has ended |
//! | answer | with every other final answer | with the ones between |
//!
//! So a pulse of the first is exposure and inference of one frame, and an edge of the second is one
//! result. The tick at which the second has its level goes with the result.

use crate::Clock;
use core::fmt;
use embedded_hal::digital::{Error, ErrorKind, ErrorType, OutputPin, PinState};

/// A pin that may fail.
pub trait Pin {
    /// Gives it the level; whether it has that.
    fn set(&mut self, level: PinState) -> bool;
}

impl<P: OutputPin> Pin for P {
    fn set(&mut self, level: PinState) -> bool {
        self.set_state(level).is_ok()
    }
}

/// The pins of a board; [`NoPin`] stands for one that it does not have.
pub struct Pins<'b> {
    /// High from exposure to the end of the board's inference.
    pub exposure: &'b mut dyn Pin,
    /// Another level with each final answer; low at first.
    pub answer: &'b mut dyn Pin,
}

impl fmt::Debug for Pins<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pins").finish_non_exhaustive()
    }
}

/// A pin that is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoPin;

/// There is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such pin")]
pub struct Absent;

impl Error for Absent {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for NoPin {
    type Error = Absent;
}

impl OutputPin for NoPin {
    fn set_low(&mut self) -> Result<(), Absent> {
        Err(Absent)
    }

    fn set_high(&mut self) -> Result<(), Absent> {
        Err(Absent)
    }
}

/// The pins at work.
pub(crate) struct Signals<'b> {
    pins: Pins<'b>,
    answer: PinState,
}

impl<'b> Signals<'b> {
    /// Both pins low.
    pub fn new<'l: 'b>(pins: Pins<'l>) -> Self {
        let Pins { exposure, answer } = pins;
        exposure.set(PinState::Low);
        answer.set(PinState::Low);
        Self {
            pins: Pins { exposure, answer },
            answer: PinState::Low,
        }
    }

    /// A frame is about to be exposed.
    pub fn exposing(&mut self) {
        self.pins.exposure.set(PinState::High);
    }

    /// Its inference has ended, or it never came to that.
    pub fn inferred(&mut self) {
        self.pins.exposure.set(PinState::Low);
    }

    /// A final answer is there; when the pin says so, if it does.
    pub fn answered(&mut self, clock: Clock) -> Option<u64> {
        self.answer = !self.answer;
        self.pins.answer.set(self.answer).then(|| (clock.now)())
    }
}
