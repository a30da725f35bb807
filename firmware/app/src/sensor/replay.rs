//! A sensor that plays recorded frames, again and again.

use crate::Clock;
use crate::replay::Replay;
use crate::sensor::{Sensor, SensorError};
use microtome_plan::Port;

/// Plays the frames of a replay store in turn, from the first at the beginning of each
/// acquisition.
#[derive(Clone, Copy, Debug)]
pub struct ReplaySensor<'a> {
    store: &'a [u8],
    next: usize,
}

impl<'a> ReplaySensor<'a> {
    /// A sensor that plays `store`, the bytes of a replay store.
    pub const fn new(store: &'a [u8]) -> Self {
        Self { store, next: 0 }
    }
}

impl Sensor for ReplaySensor<'_> {
    async fn begin(&mut self) -> Result<(), SensorError> {
        self.next = 0;
        Ok(())
    }

    async fn expose(
        &mut self,
        _input: &Port<'_>,
        frame: &mut [i8],
        clock: Clock,
    ) -> Result<u64, SensorError> {
        let exposed = (clock.now)();
        let store = Replay::parse(self.store, frame.len()).map_err(|_| SensorError::Empty)?;
        let recorded = store.frame(self.next).ok_or(SensorError::Empty)?;
        frame.copy_from_slice(bytemuck::cast_slice(recorded));
        self.next = (self.next + 1) % store.len();
        Ok(exposed)
    }
}
