//! Whether the chain holds, and where it breaks first.
//!
//! An unbroken chain says that no record was changed, removed, added or moved between the first
//! one that is there and the last. Whoever can write the file can also write a new chain from some
//! record on: that is found by comparing a hash that was noted elsewhere.
//!
//! A record names the hash of the frame that is kept with it. Frames that retention has removed are
//! the oldest ones: the journal knows up to where.

use crate::error::JournalError;
use crate::frame::{KeptFrame, unpack};
use crate::hash::Hash;
use crate::reader::{Frames, Reader, Stored};
use crate::record::{Provenance, Record};
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::iter::Peekable;

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Records that hold.
    pub records: u64,
    /// Index of the first record that is there; those before it were removed by retention.
    pub first: u64,
    /// Hash of the last record that holds: worth noting elsewhere.
    pub head: Hash,
    /// Frames of them that hold.
    pub frames: u64,
    /// Frames of them that were removed by retention.
    pub frames_removed: u64,
    /// Where the chain breaks first, if it does.
    #[serde(rename = "break")]
    pub broken: Option<Break>,
}

/// Where the chain breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Break {
    /// Index of the record.
    pub index: u64,
    /// The device whose record it is or seems to be, where that can be told.
    pub device: Option<String>,
    /// What differs.
    pub difference: Difference,
}

/// What differs from what the journal promises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Difference {
    /// The record is not there.
    Missing,
    /// The record, or its hash, is not what was recorded.
    Content {
        /// The hash that is stored.
        stored: Hash,
        /// The hash that its content has after the record before it.
        computed: Hash,
    },
    /// There are more records than the journal knows of.
    Surplus,
    /// The record does not decode.
    Undecodable {
        /// What is wrong.
        cause: String,
    },
    /// The record's provenance is not there.
    NoProvenance,
    /// The record's provenance is not what was recorded.
    Provenance,
    /// The board's results are not in their order, or one is there twice.
    Order {
        /// The number of the board's result before it.
        before: u64,
        /// The number of this one.
        sequence: u64,
    },
    /// The record's frame is not there, although retention did not remove it.
    FrameMissing,
    /// The record's frame is not what was recorded.
    Frame {
        /// The hash that the record names.
        recorded: Hash,
    },
    /// There is a frame that no record names, or that retention has removed.
    FrameSurplus,
    /// The last record's hash is not the one that the journal knows.
    Head {
        /// The hash that the journal knows.
        stored: Hash,
    },
    /// The hash is not the one that was noted.
    Noted {
        /// The hash that was noted.
        noted: Hash,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the record is missing"),
            Self::Content { stored, computed } => write!(
                f,
                "the record or its hash was altered: stored is {stored}, computed {computed}"
            ),
            Self::Surplus => f.write_str("the record is not one that the journal counts"),
            Self::Undecodable { cause } => write!(f, "the record does not decode: {cause}"),
            Self::NoProvenance => f.write_str("the record's provenance is missing"),
            Self::Provenance => f.write_str("the record's provenance was altered"),
            Self::Order { before, sequence } => write!(
                f,
                "result {sequence} of its board comes after result {before}"
            ),
            Self::FrameMissing => f.write_str("the record's frame is missing"),
            Self::Frame { recorded } => write!(
                f,
                "the record's frame was altered: the record names {recorded}"
            ),
            Self::FrameSurplus => f.write_str("there is a frame that the record does not have"),
            Self::Head { stored } => {
                write!(f, "the journal ends with another hash, {stored}")
            }
            Self::Noted { noted } => write!(f, "the hash that was noted is another, {noted}"),
        }
    }
}

/// Audits a journal from its first record on. `noted` is an index and a hash that an earlier
/// audit gave as its head.
///
/// # Errors
/// When the journal can not be read; a break of the chain is no error.
pub fn audit(reader: &Reader, noted: Option<(u64, Hash)>) -> Result<Audit, JournalError> {
    let indexes = reader.indexes();
    let (anchor, stored) = reader.ends();
    let mut auditor = Auditor {
        reader,
        next: indexes.start,
        head: anchor,
        provenance: HashMap::new(),
        sequences: HashMap::new(),
        frames: reader.frames()?.peekable(),
        frames_held: 0,
        frames_removed: 0,
    };
    let report = |auditor: &Auditor<'_>, broken| Audit {
        records: auditor.next - indexes.start,
        first: indexes.start,
        head: auditor.head,
        frames: auditor.frames_held,
        frames_removed: auditor.frames_removed,
        broken,
    };
    let at = |index, difference| Break {
        index,
        device: None,
        difference,
    };
    for record in reader.records()? {
        let record = record?;
        let noted = noted.filter(|&(index, hash)| index == record.index && hash != record.hash);
        let broken = if record.index >= indexes.end {
            Some(at(record.index, Difference::Surplus))
        } else if let Some((index, noted)) = noted {
            Some(at(index, Difference::Noted { noted }))
        } else {
            auditor.check(&record)?
        };
        if broken.is_some() {
            return Ok(report(&auditor, broken));
        }
    }
    let broken = if auditor.next < indexes.end {
        Some(at(auditor.next, Difference::Missing))
    } else if auditor.head != stored {
        Some(at(auditor.next, Difference::Head { stored }))
    } else if let Some(index) = auditor.frame_before(u64::MAX)? {
        Some(at(index, Difference::FrameSurplus))
    } else {
        noted
            .filter(|&(index, _)| index >= auditor.next)
            .map(|(index, _)| at(index, Difference::Missing))
    };
    Ok(report(&auditor, broken))
}

/// What is known of the records so far.
struct Auditor<'r> {
    reader: &'r Reader,
    /// Index of the next record.
    next: u64,
    /// Hash of the one before it.
    head: Hash,
    /// The device of each provenance that holds.
    provenance: HashMap<Hash, String>,
    /// The last result of each start of a board.
    sequences: HashMap<String, u64>,
    /// Frames that were not looked at.
    frames: Peekable<Frames<'r>>,
    frames_held: u64,
    frames_removed: u64,
}

impl Auditor<'_> {
    /// Checks the next record, and takes it over if it holds.
    fn check(&mut self, stored: &Stored) -> Result<Option<Break>, JournalError> {
        let broken = |index, device, difference| {
            Ok(Some(Break {
                index,
                device,
                difference,
            }))
        };
        if stored.index != self.next {
            return broken(self.next, None, Difference::Missing);
        }
        let record = serde_json::from_slice::<Record>(&stored.record);
        let device = match &record {
            Ok(record) => self.device(&record.provenance)?,
            Err(_) => Ok(String::new()),
        };
        let name = device
            .as_ref()
            .ok()
            .filter(|name| !name.is_empty())
            .cloned();
        let computed = self.head.chain(&stored.record);
        if computed != stored.hash {
            let stored_hash = stored.hash;
            let difference = Difference::Content {
                stored: stored_hash,
                computed,
            };
            return broken(stored.index, name, difference);
        }
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let cause = error.to_string();
                return broken(stored.index, None, Difference::Undecodable { cause });
            }
        };
        if let Err(difference) = device {
            return broken(stored.index, None, difference);
        }
        if let Some(index) = self.frame_before(stored.index)? {
            return broken(index, None, Difference::FrameSurplus);
        }
        if let Some(difference) = self.frame(stored.index, record.kept_frame.as_ref())? {
            return broken(stored.index, name, difference);
        }
        let sequence = record.sequence;
        if let Some(before) = self.sequences.insert(record.boot, sequence)
            && before >= sequence
        {
            return broken(stored.index, name, Difference::Order { before, sequence });
        }
        (self.head, self.next) = (stored.hash, self.next + 1);
        Ok(None)
    }

    /// The index of a frame whose record would have come before `index`.
    fn frame_before(&mut self, index: u64) -> Result<Option<u64>, JournalError> {
        let before = |row: &Result<(u64, _), _>| row.as_ref().map_or(true, |row| row.0 < index);
        let row = self.frames.next_if(before).transpose()?;
        Ok(row.map(|(index, _)| index))
    }

    /// What is wrong with the frame of the record at `index`.
    fn frame(
        &mut self,
        index: u64,
        kept: Option<&KeptFrame>,
    ) -> Result<Option<Difference>, JournalError> {
        let is_here = |row: &Result<(u64, _), _>| row.as_ref().map_or(true, |row| row.0 == index);
        let row = self.frames.next_if(is_here).transpose()?;
        let was_removed = index < self.reader.frames_first();
        Ok(match (kept, row) {
            (None, None) => None,
            (Some(_), None) if was_removed => {
                self.frames_removed += 1;
                None
            }
            (Some(_), None) => Some(Difference::FrameMissing),
            (Some(kept), Some((_, stored))) if !was_removed => {
                let frame = unpack(&stored, kept);
                let holds = frame.is_some_and(|frame| Hash::of(&frame) == kept.sha256);
                self.frames_held += u64::from(holds);
                let recorded = kept.sha256;
                (!holds).then_some(Difference::Frame { recorded })
            }
            (_, Some(_)) => Some(Difference::FrameSurplus),
        })
    }

    /// The device whose provenance has this hash, or what is wrong with it.
    fn device(&mut self, hash: &Hash) -> Result<Result<String, Difference>, JournalError> {
        if let Some(device) = self.provenance.get(hash) {
            return Ok(Ok(device.clone()));
        }
        let Some(bytes) = self.reader.provenance_bytes(hash)? else {
            return Ok(Err(Difference::NoProvenance));
        };
        let provenance = serde_json::from_slice::<Provenance>(&bytes);
        let (Ok(provenance), true) = (provenance, Hash::of(&bytes) == *hash) else {
            return Ok(Err(Difference::Provenance));
        };
        let device = provenance.device;
        self.provenance.insert(*hash, device.clone());
        Ok(Ok(device))
    }
}
