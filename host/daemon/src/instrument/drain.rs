//! Recording what a board holds, without acquiring.

use super::{AcquireError, Instrument, STOP_TIMEOUT, until};
use crate::frames::Frames;
use crate::session::{Event, Fault};
use microtome_link::message::{Acquisition, Mode, Refusal};
use tokio::time::{Instant, timeout};

impl Instrument {
    /// Records the results that the board holds from before this session, and lets it forget them;
    /// says how many there were.
    ///
    /// Boards send them when an acquisition begins. This one ends as it begins; where a board is
    /// faster than that, the one frame that it exposes has its result recorded, too.
    ///
    /// # Errors
    /// When the session breaks or the journal fails; the board holds what is not recorded.
    pub async fn drain(&mut self) -> Result<u64, AcquireError> {
        let before = self.summary.frames;
        self.frames = Frames::default();
        let origin = self.provenance();
        let origin = origin.seal()?;
        self.session.start(AT_MOST_ONE).await?;
        self.session.stop().await?;
        let mut give_up = Instant::now() + STOP_TIMEOUT;
        let mut has_ended = false;
        while !has_ended || !self.unstored.is_empty() {
            tokio::select! {
                event = self.session.next_event() => match event? {
                    Event::Result(result) => self.record(&result, &origin)?,
                    // A board without a plan, too, first sends what it holds.
                    Event::Stopped { .. } | Event::Refused(Refusal::NoPlan) => has_ended = true,
                    // That it has stopped follows.
                    Event::Refused(Refusal::Sensor) => {}
                    Event::Refused(refusal) => return Err(self.session.refused(refusal).into()),
                    other => tracing::debug!(?other, "not of what the board holds"),
                },
                Some(stored) = self.stored.1.recv() => {
                    self.acknowledge(stored, &mut |_| ()).await?;
                    give_up = Instant::now() + STOP_TIMEOUT;
                }
                () = until(Some(give_up)) => return Err(self.error(Fault::StopTimeout).into()),
            }
        }
        // The board forgets what it knows to be stored, and only that.
        match timeout(STOP_TIMEOUT, self.session.flush()).await {
            Ok(flushed) => flushed?,
            Err(_) => return Err(self.error(Fault::StopTimeout).into()),
        }
        Ok(self.summary.frames - before)
    }
}

/// The shortest acquisition that there is.
const AT_MOST_ONE: Acquisition = Acquisition {
    frames: 1,
    period_us: 0,
    offload: false,
    deadline_ms: 0,
    mode: Mode::Rate,
};
