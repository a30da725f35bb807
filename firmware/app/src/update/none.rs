//! A board whose plan only flashing changes.
//!
//! It is a type of its own so that no image has code for updates that can not be.

use super::{Done, Provider, Source, Step, UpdateSteps};
use crate::Clock;
use microtome_link::message::PlanFault;
use microtome_link::update::{UpdateRefusal, UpdateState, Updated};

/// No updates: what is asked is refused.
pub(crate) struct NoUpdates;

impl Provider for NoUpdates {
    type Updater<'u> = Self;

    fn split<'u>(&'u mut self, factory: &'u [u8]) -> (Source<'u>, Self) {
        (Source::Factory(factory), Self)
    }

    async fn fall_back(&mut self, _: &PlanFault) {}
}

impl UpdateSteps for NoUpdates {
    fn state(&self) -> Option<UpdateState> {
        None
    }

    async fn step(&mut self, _: Step, _: usize) -> Result<Done, UpdateRefusal> {
        Err(UpdateRefusal::NoFlash)
    }

    async fn trial(&mut self, _: &mut [u8], _: Clock) -> Result<Updated, UpdateRefusal> {
        Err(UpdateRefusal::NoFlash)
    }
}
