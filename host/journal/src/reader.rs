//! Reads a journal, also while a daemon writes to it.
//!
//! A reader sees the journal as it was when it was opened. A journal whose daemon was killed is
//! put in order first, as the next daemon would do.

use crate::error::{Fault, JournalError};
use crate::frame::{KeptFrame, unpack};
use crate::hash::Hash;
use crate::medium::{FileMedium, Medium};
use crate::record::Provenance;
use crate::store::{FRAMES, HASH_LEN, PROVENANCE, RECORDS, STATE, STATE_KEY, State, builder};
use redb::{
    Key, ReadOnlyTable, ReadTransaction, ReadableDatabase, TableDefinition, TableError, Value,
};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A journal as it was at one moment.
pub struct Reader {
    path: PathBuf,
    transaction: ReadTransaction,
    /// `None` is an empty journal.
    state: Option<State>,
    /// Keeps the file open.
    _database: Box<dyn Send>,
}

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its place in the journal.
    pub index: u64,
    /// Its hash in the chain.
    pub hash: Hash,
    /// The record, as JSON.
    pub record: Vec<u8>,
}

impl Stored {
    /// It as one JSON object with the bytes of its provenance, for those who read results.
    pub fn to_json(&self, provenance: &[u8]) -> Vec<u8> {
        let head = format!(r#"{{"index":{},"hash":"{}","#, self.index, self.hash);
        let parts: [&[u8]; 6] = [
            head.as_bytes(),
            br#""provenance":"#,
            provenance,
            br#","record":"#,
            &self.record,
            b"}",
        ];
        parts.concat()
    }
}

/// Frames as they are stored.
pub(crate) type Frames<'r> = Box<dyn Iterator<Item = Result<(u64, Vec<u8>), JournalError>> + 'r>;

impl Reader {
    /// Opens the journal in the file at `path`.
    ///
    /// # Errors
    /// When there is none, or it can not be read.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let opened = builder()
            .open_read_only(path)
            .map_err(Fault::from)
            .and_then(|database| Self::of(path, database));
        match opened {
            // It may have to be put in order, which only a writer does.
            Err(Fault::Database(_)) => Self::on(&FileMedium::new(path)),
            opened => opened.map_err(|fault| at(path, fault)),
        }
    }

    /// Opens the journal on `medium`, to which nobody writes.
    ///
    /// # Errors
    /// When it can not be read.
    pub fn on(medium: &impl Medium) -> Result<Self, JournalError> {
        let opened = medium.open().map_err(Fault::from).and_then(|backend| {
            let database = builder().create_with_backend(backend)?;
            Self::of(medium.path(), database)
        });
        opened.map_err(|fault| at(medium.path(), fault))
    }

    fn of(path: &Path, database: impl ReadableDatabase + Send + 'static) -> Result<Self, Fault> {
        let transaction = database.begin_read()?;
        let state = match transaction.open_table(STATE) {
            Ok(table) => table.get(STATE_KEY)?.map(|row| State::decode(row.value())),
            Err(TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            path: path.to_owned(),
            transaction,
            state: state.transpose()?,
            _database: Box::new(database),
        })
    }

    /// The indexes that are there.
    pub fn indexes(&self) -> Range<u64> {
        self.state.map_or(0..0, |state| state.first..state.next)
    }

    /// Hash of the record before the first one, and of the last one.
    pub fn ends(&self) -> (Hash, Hash) {
        self.state
            .map(|state| (state.anchor, state.head))
            .unwrap_or_default()
    }

    /// The records that are there, in their order.
    ///
    /// # Errors
    /// When the journal can not be read; so with each record.
    pub fn records(
        &self,
    ) -> Result<impl Iterator<Item = Result<Stored, JournalError>> + '_, JournalError> {
        self.records_from(0)
    }

    /// The records that are there from `index` on, in their order.
    ///
    /// # Errors
    /// When the journal can not be read; so with each record.
    pub fn records_from(
        &self,
        index: u64,
    ) -> Result<impl Iterator<Item = Result<Stored, JournalError>> + '_, JournalError> {
        let table = self.table(RECORDS)?;
        let rows = table.map(|table| table.range(index..)).transpose();
        let rows = rows.map_err(|error| self.at(error))?;
        Ok(rows.into_iter().flatten().map(|row| {
            let (index, value) = row.map_err(|error| self.at(error))?;
            self.stored(index.value(), value.value())
        }))
    }

    /// The record at `index`, if it is there.
    ///
    /// # Errors
    /// When the journal can not be read.
    pub fn record(&self, index: u64) -> Result<Option<Stored>, JournalError> {
        let Some(table) = self.table(RECORDS)? else {
            return Ok(None);
        };
        let row = table.get(index).map_err(|error| self.at(error))?;
        row.map(|row| self.stored(index, row.value())).transpose()
    }

    fn stored(&self, index: u64, row: &[u8]) -> Result<Stored, JournalError> {
        let (hash, record) = row
            .split_first_chunk::<HASH_LEN>()
            .ok_or_else(|| self.at(Fault::Foreign("a record has no hash")))?;
        Ok(Stored {
            index,
            hash: Hash(*hash),
            record: record.to_vec(),
        })
    }

    /// Of records before this index, retention has removed the frames.
    pub fn frames_first(&self) -> u64 {
        self.state.map_or(0, |state| state.frames_first)
    }

    /// The frames that are there as they are stored, with the indexes of their records, in order.
    pub(crate) fn frames(&self) -> Result<Frames<'_>, JournalError> {
        let table = self.table(FRAMES)?;
        let rows = table.map(|table| table.range::<u64>(..)).transpose();
        let rows = rows.map_err(|error| self.at(error))?;
        Ok(Box::new(rows.into_iter().flatten().map(|row| {
            let (index, frame) = row.map_err(|error| self.at(error))?;
            Ok((index.value(), frame.value().to_vec()))
        })))
    }

    /// The frame of the record at `index`, which the record names so; `None` where it is not
    /// there, or another one.
    ///
    /// # Errors
    /// When the journal can not be read.
    pub fn frame(&self, index: u64, kept: &KeptFrame) -> Result<Option<Vec<u8>>, JournalError> {
        let Some(table) = self.table(FRAMES)? else {
            return Ok(None);
        };
        let row = table.get(index).map_err(|error| self.at(error))?;
        let frame = row.and_then(|row| unpack(row.value(), kept));
        Ok(frame.filter(|frame| Hash::of(frame) == kept.sha256))
    }

    /// The bytes of the provenance with this hash, if it is there.
    ///
    /// # Errors
    /// When the journal can not be read.
    pub fn provenance_bytes(&self, hash: &Hash) -> Result<Option<Vec<u8>>, JournalError> {
        let Some(table) = self.table(PROVENANCE)? else {
            return Ok(None);
        };
        let row = table.get(&hash.0).map_err(|error| self.at(error))?;
        Ok(row.map(|row| row.value().to_vec()))
    }

    /// The provenance with this hash, if it is there and decodes.
    ///
    /// # Errors
    /// When the journal can not be read.
    pub fn provenance(&self, hash: &Hash) -> Result<Option<Provenance>, JournalError> {
        let bytes = self.provenance_bytes(hash)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// A table, if there is one: an empty journal has none.
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        of: TableDefinition<'_, K, V>,
    ) -> Result<Option<ReadOnlyTable<K, V>>, JournalError> {
        match self.transaction.open_table(of) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(self.at(error)),
        }
    }

    fn at(&self, fault: impl Into<Fault>) -> JournalError {
        at(&self.path, fault.into())
    }
}

fn at(path: &Path, fault: Fault) -> JournalError {
    let path = path.to_owned();
    JournalError::Store { path, fault }
}
