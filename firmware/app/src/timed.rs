//! Single runs for the host: raw outputs, and what they cost.
//!
//! Costs are measured with interrupts off, so that on a board whose clock counts instructions they
//! are exact. The run that is measured as a whole keeps the board from all else meanwhile; the
//! link makes up for what it missed.

use crate::Clock;
use crate::app::App;
use crate::engine::Engine;
use crate::port::Ended;
use crate::sensor::Sensor;
use embassy_futures::yield_now;
use microtome_link::ToHost;
use microtome_link::message::{InputSource, Refusal};

impl<S: Sensor> App<'_, '_, S> {
    /// Runs the plan once and sends its outputs, and its cost and that of each step.
    pub async fn run(&mut self, run: u32, input: InputSource, profile: bool) -> Result<(), Ended> {
        let Some(mut engine) = self.engine.take() else {
            return self.refuse(Refusal::NoPlan).await;
        };
        let ended = match self.place(input, &mut engine) {
            Ok(()) => self.measure(run, profile, &mut engine).await,
            Err(refusal) => self.refuse(refusal).await,
        };
        self.engine = Some(engine);
        ended
    }

    /// Makes the chosen input the engine's frame.
    fn place(&mut self, input: InputSource, engine: &mut Engine<'_, '_>) -> Result<(), Refusal> {
        let frame = engine.frame_mut();
        match input {
            InputSource::Link if self.staged == frame.len() => {}
            InputSource::Link => return Err(Refusal::BadInput),
            InputSource::Replay(index) => {
                let frames = self.replay.len() as u32;
                let recorded = self.replay.frame(index as usize);
                frame.copy_from_slice(recorded.ok_or(Refusal::NoFrame { frames })?);
                self.staged = 0;
            }
        }
        Ok(())
    }

    async fn measure(
        &mut self,
        run: u32,
        profile: bool,
        engine: &mut Engine<'_, '_>,
    ) -> Result<(), Ended> {
        engine.load();
        // Lets the request be acknowledged first.
        yield_now().await;
        let ticks = cost(self.clock, || while engine.step() {});
        if profile {
            self.measure_steps(run, engine).await?;
        }
        let mut offset = 0;
        for output in engine.outputs() {
            self.send_pieces(offset, output, ToHost::Output).await?;
            offset += output.len();
        }
        self.send(&ToHost::RunDone { run, ticks }).await
    }

    /// Runs the plan again, step by step.
    async fn measure_steps(&self, run: u32, engine: &mut Engine<'_, '_>) -> Result<(), Ended> {
        engine.load();
        let mut step = 0_u16;
        loop {
            let mut is_step = false;
            let ticks = cost(self.clock, || is_step = engine.step());
            if !is_step {
                return Ok(());
            }
            self.send(&ToHost::StepCost { run, step, ticks }).await?;
            step = step.saturating_add(1);
        }
    }
}

/// Ticks that `act` takes while nothing interrupts it.
fn cost(clock: Clock, act: impl FnOnce()) -> u64 {
    critical_section::with(|_| {
        let begun = (clock.now)();
        act();
        (clock.now)() - begun
    })
}
