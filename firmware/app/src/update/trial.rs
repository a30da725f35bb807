//! The trial: the package in the free slot is checked whole and runs against its golden vectors.

use super::record::Known;
use super::slot;
use super::updater::{Updater, package};
use crate::Clock;
use crate::engine::Engine;
use crate::flash::FlashPart;
use crate::log::info;
use crate::text::cut;
use embassy_futures::yield_now;
use microtome_link::update::{UpdateRefusal, Updated};
use microtome_update::package::output_digest;
use microtome_update::{Golden, Package};

impl<F: FlashPart> Updater<'_, F> {
    /// Tries the package. One that fails is not continued either: the next transfer begins anew.
    pub(super) async fn try_package(
        &mut self,
        memory: &mut [u8],
        clock: Clock,
    ) -> Result<Updated, UpdateRefusal> {
        let allow_downgrade = self.complete()?.allow_downgrade;
        match self.run(memory, clock, allow_downgrade).await {
            Ok((known, passed)) => {
                info!("release {} has passed its trial", known.release);
                self.complete()?.tried = Some(known);
                Ok(passed)
            }
            Err(refusal) => {
                self.transfer = None;
                slot::spoil(self.part).await?;
                Err(refusal)
            }
        }
    }

    async fn run(
        &self,
        memory: &mut [u8],
        clock: Clock,
        allow_downgrade: bool,
    ) -> Result<(Known, Updated), UpdateRefusal> {
        let parsed = Package::parse(self.part.bytes()).map_err(package)?;
        // The header in the slot may be another than the transfer began with.
        self.admit(parsed.header(), allow_downgrade)?;
        let plan = parsed.plan();
        let mut engine =
            Engine::new(plan, memory).map_err(|error| UpdateRefusal::Plan(cut(&error)))?;
        let (mut vectors, mut ticks) = (0, 0);
        for golden in parsed.golden() {
            let run = reproduce(&mut engine, &golden, clock).await;
            ticks += run.ok_or(UpdateRefusal::Golden { index: vectors })?;
            vectors += 1;
        }
        let known = Known::from(parsed.header());
        Ok((known, Updated::Tried { vectors, ticks }))
    }
}

/// Runs the plan on a vector's input, and returns the ticks that the steps took; `None` where the
/// outputs are not the vector's.
async fn reproduce(engine: &mut Engine<'_, '_>, golden: &Golden<'_>, clock: Clock) -> Option<u64> {
    // A package's vectors have inputs of its plan's length.
    engine.frame_mut().copy_from_slice(golden.input);
    engine.load();
    let mut ticks = 0;
    loop {
        let begun = (clock.now)();
        let is_step = engine.step();
        ticks += (clock.now)() - begun;
        if !is_step {
            break;
        }
        yield_now().await;
    }
    (output_digest(engine.outputs()) == golden.output).then_some(ticks)
}
