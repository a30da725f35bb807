//! The host's steps, while a plan runs that lies elsewhere.

use super::record::{Known, Record, RecordFault, Slot, Store};
use super::slot::{self, FlashFault};
use super::{Done, Step, UpdateSteps};
use crate::Clock;
use crate::flash::FlashPart;
use crate::text::cut;
use microtome_link::update::{
    PlanSource, RolledBack, UPDATE_PIECE_LEN, UpdateRefusal, UpdateState, Updated,
};
use microtome_update::signature::{self, message};
use microtome_update::{Header, Key, PackageError, Signature, SignatureError};

/// A package on its way into the free slot.
pub(super) struct Transfer {
    header: Header,
    pub(super) allow_downgrade: bool,
    /// Bytes that the slot has.
    written: usize,
    /// What has passed its trial since it was written.
    pub(super) tried: Option<Known>,
}

/// Does what the host asks of updates while a plan runs that lies elsewhere.
pub(crate) struct Updater<'u, F: FlashPart> {
    /// The slot that is not in use.
    pub(super) part: &'u mut F,
    free: Slot,
    running: &'u mut Option<Slot>,
    store: &'u mut Store<F>,
    pub(super) transfer: Option<Transfer>,
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

impl<'u, F: FlashPart> Updater<'u, F> {
    /// For a slot that is not in use.
    pub fn new(
        part: &'u mut F,
        free: Slot,
        running: &'u mut Option<Slot>,
        store: &'u mut Store<F>,
    ) -> Self {
        Self {
            part,
            free,
            running,
            store,
            transfer: None,
        }
    }

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
    pub(super) fn admit(
        &self,
        header: &Header,
        allow_downgrade: bool,
    ) -> Result<(), UpdateRefusal> {
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
    pub(super) fn complete(&mut self) -> Result<&mut Transfer, UpdateRefusal> {
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

pub(super) fn package(error: PackageError) -> UpdateRefusal {
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
