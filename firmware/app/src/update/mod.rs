//! Updates of the plan: from the host's steps to flash, and from flash to the plan that runs.
//!
//! [`Updates`] is the board's flash with the record of it, and says where the plan lies that is to
//! run. While that plan runs, an [`Updater`] has the other slot and does what the host asks: `slot`
//! is how a package comes into it, `trial` how it is tried, `record` what is remembered.
//!
//! Power loss at any byte leaves the old plan or the new one, because the slot of the plan that
//! runs is never written, and every decision is one write of the record.

mod none;
mod record;
mod slot;
mod step;
mod trial;

pub(crate) use none::NoUpdates;
pub(crate) use step::Step;

use crate::Clock;
use crate::flash::{FlashPart, UpdateFlash};
use crate::log::warning;
use crate::text::cut;
use microtome_link::message::PlanFault;
use microtome_link::update::{
    PlanSource, RolledBack, UPDATE_PIECE_LEN, UpdateRefusal, UpdateState, Updated,
};
use microtome_plan::Plan;
use microtome_update::signature::{self, message};
use microtome_update::{Header, Key, Package, PackageError, Signature, SignatureError};
use record::{Known, Record, RecordFault, Slot, Store};
use slot::FlashFault;

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
        let updater = Updater {
            part,
            free,
            running: &mut self.running,
            store: &mut self.store,
            transfer: None,
        };
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

/// A package on its way into the free slot.
struct Transfer {
    header: Header,
    allow_downgrade: bool,
    /// Bytes that the slot has.
    written: usize,
    /// What has passed its trial since it was written.
    tried: Option<Known>,
}

/// Does what the host asks of updates while a plan runs that lies elsewhere.
pub(crate) struct Updater<'u, F: FlashPart> {
    /// The slot that is not in use.
    part: &'u mut F,
    free: Slot,
    running: &'u mut Option<Slot>,
    store: &'u mut Store<F>,
    transfer: Option<Transfer>,
}

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

impl<F: FlashPart> UpdateSteps for Updater<'_, F> {
    fn state(&self) -> Option<UpdateState> {
        Some(self.state())
    }

    async fn step(&mut self, step: Step, held: usize) -> Result<Done, UpdateRefusal> {
        if !matches!(step, Step::State) {
            self.store.check()?;
        }
        match step {
            Step::State => {}
            Step::Begin {
                header,
                allow_downgrade,
            } => return self.begin(header, allow_downgrade).await,
            Step::Piece { at, data } => return self.piece(at, &data),
            Step::Trial => return self.complete().map(|_| Done::Trial),
            Step::Activate => return self.activate(held).await,
            Step::Confirm => self.confirm().await?,
            Step::Abort => return self.abort(held).await,
            Step::Trust { key, signature } => self.trust(key, signature).await?,
        }
        Ok(Done::Said(Updated::State(self.state())))
    }

    async fn trial(&mut self, memory: &mut [u8], clock: Clock) -> Result<Updated, UpdateRefusal> {
        self.try_package(memory, clock).await
    }
}

impl<F: FlashPart> Updater<'_, F> {
    fn state(&self) -> UpdateState {
        let record = self.store.get();
        let known = self.running.and_then(|slot| record.known(slot));
        UpdateState {
            source: match self.running {
                None => PlanSource::Factory,
                Some(Slot::A) => PlanSource::A,
                Some(Slot::B) => PlanSource::B,
            },
            release: known.map_or(0, |known| known.release),
            is_confirmed: record.pending.is_none(),
            release_confirmed: record.release,
            key: record.key,
            slot_bytes: self.part.capacity() as u32,
            rolled_back: record.rolled_back,
        }
    }

    async fn begin(
        &mut self,
        header: Result<Header, PackageError>,
        allow_downgrade: bool,
    ) -> Result<Done, UpdateRefusal> {
        self.transfer = None;
        if self.store.get().pending.is_some() {
            return Err(UpdateRefusal::Unconfirmed);
        }
        let header = header.map_err(package)?;
        self.admit(&header, allow_downgrade)?;
        let written = slot::open(self.part, &header).await?;
        self.transfer = Some(Transfer {
            header,
            allow_downgrade,
            written,
            tried: None,
        });
        let bytes = written as u32;
        Ok(Done::Said(Updated::Written { bytes }))
    }

    /// Whether the package with this header may come onto the board.
    fn admit(&self, header: &Header, allow_downgrade: bool) -> Result<(), UpdateRefusal> {
        let record = self.store.get();
        let (bytes, room) = (header.total_len(), self.part.capacity());
        if bytes > room {
            let (bytes, room) = (bytes as u32, room as u32);
            return Err(UpdateRefusal::TooLong { bytes, room });
        }
        let (from, to) = (record.release, header.release);
        if to < from && !allow_downgrade {
            return Err(UpdateRefusal::Downgrade { from, to });
        }
        header
            .authorize(record.key.as_ref())
            .map_err(|error| match error {
                SignatureError::Unsigned => UpdateRefusal::Unsigned,
                SignatureError::OtherKey => UpdateRefusal::OtherKey,
                SignatureError::Invalid => UpdateRefusal::Signature,
            })
    }

    /// Writes a piece. A piece that belongs to no transfer is left: why there is none has been said.
    fn piece(&mut self, at: usize, data: &[u8]) -> Result<Done, UpdateRefusal> {
        let Some(mut transfer) = self.transfer.take() else {
            return Ok(Done::Quiet);
        };
        let total = transfer.header.total_len();
        let expected = transfer.written;
        let is_next = at == expected && data.len() == UPDATE_PIECE_LEN.min(total - expected);
        if !is_next || data.is_empty() {
            let expected = expected as u32;
            return Err(UpdateRefusal::Piece { expected });
        }
        slot::write(self.part, at, data)?;
        transfer.written += data.len();
        let written = transfer.written;
        self.transfer = Some(transfer);
        if written < total {
            return Ok(Done::Quiet);
        }
        let bytes = written as u32;
        Ok(Done::Said(Updated::Written { bytes }))
    }

    /// The transfer, when every byte has come.
    fn complete(&mut self) -> Result<&mut Transfer, UpdateRefusal> {
        let bytes = (self.transfer.as_ref()).map_or(0, |transfer| transfer.written as u32);
        (self.transfer.as_mut())
            .filter(|transfer| transfer.written == transfer.header.total_len())
            .ok_or(UpdateRefusal::Incomplete { bytes })
    }

    async fn activate(&mut self, held: usize) -> Result<Done, UpdateRefusal> {
        let tried = self.transfer.as_ref().and_then(|transfer| transfer.tried);
        let known = tried.ok_or(UpdateRefusal::NotTried)?;
        none_held(held)?;
        let record = Record {
            active: *self.running,
            pending: Some((self.free, known)),
            rolled_back: None,
            ..*self.store.get()
        };
        self.store.put(record).await?;
        *self.running = Some(self.free);
        Ok(Done::Switch)
    }

    async fn confirm(&mut self) -> Result<(), UpdateRefusal> {
        let mut record = *self.store.get();
        let (slot, known) = (record.pending.take()).ok_or(UpdateRefusal::NothingToConfirm)?;
        record.active = Some(slot);
        record.confirmed[slot.index()] = Some(known);
        record.release = known.release;
        Ok(self.store.put(record).await?)
    }

    async fn abort(&mut self, held: usize) -> Result<Done, UpdateRefusal> {
        if let Some((_, Known { release, .. })) = self.store.get().pending {
            none_held(held)?;
            let rolled_back = RolledBack::Aborted { release };
            let record = self.store.get().without_pending(rolled_back);
            self.store.put(record).await?;
            *self.running = record.active;
            return Ok(Done::Switch);
        }
        if self.transfer.take().is_some() {
            slot::spoil(self.part).await?;
        }
        Ok(Done::Said(Updated::State(self.state())))
    }

    async fn trust(&mut self, key: Key, by: Option<Signature>) -> Result<(), UpdateRefusal> {
        let mut record = *self.store.get();
        if record.pending.is_some() {
            return Err(UpdateRefusal::Unconfirmed);
        }
        let is_removal = key == Key::default();
        if !is_removal && !signature::is_key(&key) {
            return Err(UpdateRefusal::Signature);
        }
        if let Some(old) = &record.key {
            let by = by.ok_or(UpdateRefusal::Signature)?;
            signature::verify(old, &message::trust(old, &key), &by)
                .map_err(|_| UpdateRefusal::Signature)?;
        }
        // What was admitted under the old key has to be admitted again.
        self.transfer = None;
        record.key = (!is_removal).then_some(key);
        Ok(self.store.put(record).await?)
    }
}

/// A switch of the plan waits for the host to store what the old one has read.
fn none_held(held: usize) -> Result<(), UpdateRefusal> {
    match held as u32 {
        0 => Ok(()),
        results => Err(UpdateRefusal::Held { results }),
    }
}

fn package(error: PackageError) -> UpdateRefusal {
    UpdateRefusal::Package(cut(&error))
}

impl From<RecordFault> for UpdateRefusal {
    fn from(_: RecordFault) -> Self {
        Self::Record
    }
}

impl From<FlashFault> for UpdateRefusal {
    fn from(_: FlashFault) -> Self {
        Self::Flash
    }
}
