//! Updates of the plan: from the host's steps to flash, and from flash to the plan that runs.
//!
//! [`Updates`] is the board's flash with the record of it, and says where the plan lies that is to
//! run. While that plan runs, an [`Updater`] has the other slot and does what the host asks (`step`):
//! `slot` is how a package comes into it, `trial` how it is tried, `record` what is remembered. A
//! board without flash for updates has `none`.
//!
//! Power loss at any byte leaves the old plan or the new one, because the slot of the plan that
//! runs is never written, and every decision is one write of the record.

mod none;
mod record;
mod slot;
mod step;
mod trial;
mod updater;

pub(crate) use none::NoUpdates;
pub(crate) use step::Step;

use crate::Clock;
use crate::flash::{FlashPart, UpdateFlash};
use crate::log::warning;
use crate::text::cut;
use microtome_link::message::PlanFault;
use microtome_link::update::{RolledBack, UpdateRefusal, UpdateState, Updated};
use microtome_plan::Plan;
use microtome_update::Package;
use record::{Known, Slot, Store};
use updater::Updater;

/// What has become of a step, where it was not refused.
pub(crate) enum Done {
    /// There is nothing to be said.
    Quiet,
    /// The host is told.
    Said(Updated),
    /// The package is to be tried, for which the memory of the plan that runs is needed.
    Trial,
    /// Another plan is to run.
    Switch,
}

/// Tells where the plan is that is to run, and lets the host change that.
pub(crate) trait Provider {
    /// Does what the host asks while a plan runs.
    type Updater<'u>: UpdateSteps
    where
        Self: 'u;

    /// The bytes that the plan to run is in, and who changes the others.
    fn split<'u>(&'u mut self, factory: &'u [u8]) -> (Source<'u>, Self::Updater<'u>);

    /// The plan that was to run can not: goes back to the one before it.
    async fn fall_back(&mut self, fault: &PlanFault);
}

/// Does what the host asks of updates while a plan runs.
pub(crate) trait UpdateSteps {
    /// How the board stands; `None` where it has no updates.
    fn state(&self) -> Option<UpdateState>;

    /// Does a step; `held` is the number of results that are not stored yet.
    async fn step(&mut self, step: Step, held: usize) -> Result<Done, UpdateRefusal>;

    /// Tries the package, with the memory that plans run in.
    async fn trial(&mut self, memory: &mut [u8], clock: Clock) -> Result<Updated, UpdateRefusal>;
}

/// The board's flash for updates, and which plan it makes the board run.
pub(crate) struct Updates<F: FlashPart> {
    slots: [F; 2],
    store: Store<F>,
    /// The slot of the plan that is to run; `None` is the factory plan.
    running: Option<Slot>,
}

impl<F: FlashPart> Updates<F> {
    /// What the record says at the board's start. A plan that was activated and not confirmed is
    /// given up here.
    pub async fn open(flash: UpdateFlash<F>) -> Self {
        let mut store = Store::open(flash.record).await;
        if store.check().is_err() {
            warning!("the record of updates can not be read");
        }
        if let Some((_, Known { release, .. })) = store.get().pending {
            warning!(
                "release {} was not confirmed: back to the plan before it",
                release
            );
            let rolled_back = RolledBack::Unconfirmed { release };
            let record = store.get().without_pending(rolled_back);
            if store.put(record).await.is_err() {
                store.note(rolled_back);
            }
        }
        let running = store.get().active;
        Self {
            slots: flash.slots,
            store,
            running,
        }
    }
}

impl<F: FlashPart> Provider for Updates<F> {
    type Updater<'u>
        = Updater<'u, F>
    where
        F: 'u;

    fn split<'u>(&'u mut self, factory: &'u [u8]) -> (Source<'u>, Updater<'u, F>) {
        let [a, b] = &mut self.slots;
        let (source, free, part) = match self.running {
            None => (Source::Factory(factory), Slot::A, a),
            Some(running) => {
                let known = self.store.get().known(running);
                let (used, free) = match running {
                    Slot::A => (a, b),
                    Slot::B => (b, a),
                };
                (Source::Slot(used.bytes(), known), running.other(), free)
            }
        };
        let updater = Updater::new(part, free, &mut self.running, &mut self.store);
        (source, updater)
    }

    async fn fall_back(&mut self, fault: &PlanFault) {
        let Some(running) = self.running else {
            return;
        };
        let record = *self.store.get();
        let release = record.known(running).map_or(0, |known| known.release);
        warning!("release {} can not run: {}", release, fault.as_str());
        let rolled_back = RolledBack::Unusable { release };
        let other = running.other();
        self.running = match record.pending {
            Some(_) => record.active,
            None if record.active == Some(running) => {
                record.confirmed[other.index()].map(|_| other)
            }
            None => None,
        };
        let is_put = record.pending.is_some()
            && (self.store.put(record.without_pending(rolled_back)).await).is_ok();
        if !is_put {
            self.store.note(rolled_back);
        }
    }
}

/// The bytes that a plan is in.
#[derive(Clone, Copy)]
pub(crate) enum Source<'u> {
    /// The plan that the board was flashed with, or what there is in its place.
    Factory(&'u [u8]),
    /// A slot, and the package that should be there.
    Slot(&'u [u8], Option<Known>),
}

impl<'u> Source<'u> {
    /// The plan, where it is one that may run.
    pub fn plan(self) -> Result<Plan<'u>, PlanFault> {
        match self {
            Self::Factory(bytes) => Plan::parse(bytes).map_err(|error| cut(&error)),
            Self::Slot(bytes, known) => {
                let package = Package::parse(bytes).map_err(|error| cut(&error))?;
                if Some(Known::from(package.header())) != known {
                    return Err(cut(&"the slot has another package than was confirmed"));
                }
                Ok(package.into_plan())
            }
        }
    }

    /// Whether there is nothing to go back to.
    pub fn is_last(self) -> bool {
        matches!(self, Self::Factory(_))
    }
}
