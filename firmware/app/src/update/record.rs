//! The record of what is active: one value that power loss leaves as it was or as it was to be.
//!
//! It lies in a part of flash of its own, under `sequential-storage`, which appends each new value
//! and checks it when it is read. Everything that an update decides is decided by one write here.

use crate::flash::{Async, FlashPart};
use microtome_link::update::RolledBack;
use microtome_plan::Digest;
use microtome_update::{Header, Key};
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage};
use serde::{Deserialize, Serialize};

/// Longest record, encoded, with the key that it is stored under.
const LEN_MAX: usize = 256;
const KEY: u8 = 0;

/// One of the two slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Slot {
    A,
    B,
}

impl Slot {
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    pub fn index(self) -> usize {
        self as usize
    }
}

/// A package that has passed its trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub release: u64,
    pub digest: Digest,
}

impl From<&Header> for Known {
    fn from(header: &Header) -> Self {
        let Header {
            release, digest, ..
        } = *header;
        Self { release, digest }
    }
}

/// What the board knows of its updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The slot whose plan runs; `None` is the factory plan.
    pub active: Option<Slot>,
    /// The package that was last confirmed in each slot, whatever the slot has become.
    pub confirmed: [Option<Known>; 2],
    /// A package that was activated and is not confirmed yet.
    pub pending: Option<(Slot, Known)>,
    /// The release that was confirmed last.
    pub release: u64,
    /// The key that packages must be signed with.
    pub key: Option<Key>,
    /// Why the package that was activated last does not run.
    pub rolled_back: Option<RolledBack>,
}

impl Record {
    /// The record when the pending package is given up for this reason.
    pub fn without_pending(&self, rolled_back: RolledBack) -> Self {
        Self {
            pending: None,
            rolled_back: Some(rolled_back),
            ..*self
        }
    }

    /// The package that is expected in a slot: the one that is tried, or was confirmed.
    pub fn known(&self, slot: Slot) -> Option<Known> {
        match self.pending {
            Some((pending, known)) if pending == slot => Some(known),
            _ => self.confirmed[slot.index()],
        }
    }
}

/// The record can not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordFault;

type Map<F> = MapStorage<u8, Async<F>, Cache<Uncached, Uncached, Uncached, u8>>;

/// The record, in flash and as it was read.
pub(crate) struct Store<F: FlashPart> {
    /// `None` where it can not be relied on.
    map: Option<Map<F>>,
    record: Record,
}

impl<F: FlashPart> Store<F> {
    /// Reads the record; where there is none, it is empty.
    pub async fn open(part: F) -> Self {
        let end = part.capacity() as u32;
        let (map, record) = match MapConfig::try_new(0..end) {
            Ok(config) => {
                let mut map = MapStorage::new(Async(part), config, Cache::new_uncached());
                let record = read(&mut map).await;
                (record.is_ok().then_some(map), record)
            }
            Err(_) => (None, Err(RecordFault)),
        };
        let lost = Record {
            rolled_back: Some(RolledBack::RecordLost),
            ..Record::default()
        };
        Self {
            map,
            record: record.unwrap_or(lost),
        }
    }

    /// Whether the record can be relied on.
    pub fn check(&self) -> Result<(), RecordFault> {
        self.map.as_ref().map(|_| ()).ok_or(RecordFault)
    }

    pub fn get(&self) -> &Record {
        &self.record
    }

    /// Notes what only holds until the next start.
    pub fn note(&mut self, rolled_back: RolledBack) {
        self.record.rolled_back = Some(rolled_back);
    }

    /// Makes `record` the record, in flash first.
    ///
    /// Where that fails the flash may have either; the board goes on with the old one and relies on
    /// neither for further updates.
    pub async fn put(&mut self, record: Record) -> Result<(), RecordFault> {
        let map = self.map.as_mut().ok_or(RecordFault)?;
        let (mut value, mut room) = ([0; LEN_MAX], [0; LEN_MAX]);
        let stored = match postcard::to_slice(&record, &mut value) {
            Ok(value) => map.store_item(&mut room, &KEY, &&*value).await.is_ok(),
            Err(_) => false,
        };
        if !stored {
            self.map = None;
            return Err(RecordFault);
        }
        self.record = record;
        Ok(())
    }
}

async fn read<F: FlashPart>(map: &mut Map<F>) -> Result<Record, RecordFault> {
    let mut room = [0; LEN_MAX];
    match map.fetch_item::<&[u8]>(&mut room, &KEY).await {
        Ok(Some(value)) => postcard::from_bytes(value).map_err(|_| RecordFault),
        Ok(None) => Ok(Record::default()),
        Err(_) => Err(RecordFault),
    }
}
