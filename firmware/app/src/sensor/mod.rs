//! Sensors: where frames come from.

pub mod as7341;
mod replay;

pub use replay::ReplaySensor;

use crate::Clock;
use microtome_plan::Port;

/// A source of frames.
#[allow(
    async_fn_in_trait,
    reason = "one task awaits it; nothing needs the future to be `Send`"
)]
pub trait Sensor {
    /// Readies the sensor for the frames of one acquisition.
    ///
    /// # Errors
    /// When it is absent, is another sensor than expected, or does not work.
    async fn begin(&mut self) -> Result<(), SensorError>;

    /// Takes one frame: fills `frame`, the plan's inputs one after another in the arena's order,
    /// with int8 values as `input`, the first of them, quantizes them. Returns the ticks of
    /// `clock` at which the exposure began.
    ///
    /// # Errors
    /// When there is no frame, or it does not fit the plan.
    async fn expose(
        &mut self,
        input: &Port<'_>,
        frame: &mut [i8],
        clock: Clock,
    ) -> Result<u64, SensorError>;
}

/// Why a sensor gave no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SensorError {
    /// The bus reported an error: no acknowledgement, arbitration lost, and the like.
    #[error("the bus failed")]
    Bus,
    /// Another chip answers.
    #[error("another chip answers: id {found:#04x}")]
    WrongChip {
        /// The id that it gives.
        found: u8,
    },
    /// It was not ready in time.
    #[error("not ready in time")]
    Timeout,
    /// The light was too strong for the gain.
    #[error("saturated")]
    Saturated,
    /// The plan's input has another number of elements.
    #[error("the plan takes {expected} elements, the sensor has {found}")]
    FrameLen {
        /// Elements that the sensor has.
        found: usize,
        /// Elements that the plan takes.
        expected: usize,
    },
    /// There is no frame.
    #[error("there is no frame")]
    Empty,
}
