//! The tables, and what one commit does to them.
//!
//! | table | key | value |
//! |---|---|---|
//! | `records` | index, from 0 | hash of the record in the chain (32 bytes), then the record |
//! | `provenance` | hash | the provenance |
//! | `frames` | index of its record | the frame, where it is kept: a DEFLATE stream |
//! | `boots` | start of a board | number of its last result that is recorded |
//! | `state` | `state` | [`State`], as JSON |
//!
//! One commit takes all of its entries or none; it is on the disk when it returns. After an error
//! the store is of no more use and must be opened again: what the failed commit wrote is then
//! either all there or not at all, and the table `boots` knows which.

use crate::entry::{Entry, Outcome};
use crate::error::Fault;
use crate::hash::Hash;
use crate::retention::Retention;
use redb::{
    Builder, ConcurrencyMode, Database, ReadableDatabase as _, ReadableTable as _, StorageBackend,
    TableDefinition, WriteTransaction,
};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::time::Duration;

pub(crate) const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
pub(crate) const PROVENANCE: TableDefinition<'_, &[u8; 32], &[u8]> =
    TableDefinition::new("provenance");
pub(crate) const STATE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("state");
pub(crate) const FRAMES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("frames");
const BOOTS: TableDefinition<'_, u64, u64> = TableDefinition::new("boots");

/// The key of the one row of [`STATE`].
pub(crate) const STATE_KEY: &str = "state";
/// Version of the tables in a journal without frames.
const FORMAT: u32 = 1;
/// Version since the first frame: whoever does not know of frames must not remove their records.
const FORMAT_FRAMES: u32 = 2;
/// Bytes of the database's cache.
pub(crate) const CACHE_BYTES: usize = 16 << 20;
/// Records, and frames, that one commit removes at most, so that it is not held up for long.
const REMOVED_MAX: u64 = 4096;
/// Bytes of the hash before a record.
pub(crate) const HASH_LEN: usize = 32;

/// Where the chain begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    format: u32,
    /// Index of the first record that is there.
    pub first: u64,
    /// Hash of the one before it, which was removed; zeros where there was none.
    pub anchor: Hash,
    /// Index of the next record.
    pub next: u64,
    /// Hash of the last record.
    pub head: Hash,
    /// Bytes of all records and frames that are there.
    pub bytes: u64,
    /// Those of the frames among them.
    #[serde(default)]
    pub frames_bytes: u64,
    /// Of records before this index, the frames were removed, if there were any.
    #[serde(default)]
    pub frames_first: u64,
}

impl State {
    /// That of an empty journal.
    const EMPTY: Self = Self {
        format: FORMAT,
        first: 0,
        anchor: Hash([0; 32]),
        next: 0,
        head: Hash([0; 32]),
        bytes: 0,
        frames_bytes: 0,
        frames_first: 0,
    };

    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let state: Self = serde_json::from_slice(bytes)
            .map_err(|_| Fault::Foreign("its state does not decode"))?;
        if ![FORMAT, FORMAT_FRAMES].contains(&state.format) {
            return Err(Fault::Foreign("its tables are of another version"));
        }
        Ok(state)
    }

    /// Takes note that a frame was removed.
    fn forget_frame(&mut self, len: usize) {
        let bytes = (len as u64).min(self.frames_bytes);
        self.frames_bytes -= bytes;
        self.bytes -= bytes.min(self.bytes);
    }

    fn encode(&self) -> Result<Vec<u8>, Fault> {
        serde_json::to_vec(self).map_err(|_| Fault::Foreign("its state does not encode"))
    }
}

/// How writers and readers of one journal share it.
pub(crate) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .set_concurrency_mode(ConcurrencyMode::SingleWriter)
        .set_cache_size(CACHE_BYTES);
    builder
}

/// An open journal, for its one writer.
pub(crate) struct Store {
    database: Database,
    state: State,
    /// Provenances that are known to be stored.
    sealed: HashSet<Hash>,
    /// When the first record was received, once that was looked up.
    first_us: Option<u64>,
}

impl Store {
    pub fn open(backend: impl StorageBackend) -> Result<Self, Fault> {
        let database = builder().create_with_backend(backend)?;
        let state = match database.begin_read()?.open_table(STATE) {
            Ok(table) => table.get(STATE_KEY)?.map(|row| State::decode(row.value())),
            Err(redb::TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            database,
            state: state.transpose()?.unwrap_or(State::EMPTY),
            sealed: HashSet::new(),
            first_us: None,
        })
    }

    /// Records `entries` in their order and removes what `retention` no longer keeps; what became
    /// of each entry.
    pub fn commit(
        &mut self,
        entries: &[&Entry],
        retention: &Retention,
        now_us: u64,
    ) -> Result<Vec<Outcome>, Fault> {
        let mut transaction = self.database.begin_write()?;
        // A start after `kill -9` must not take longer the longer the journal is.
        transaction.set_quick_repair(true);
        let mut state = self.state;
        let outcomes = append(&transaction, entries, &mut state, &mut self.sealed)?;
        if retention.is_limited() {
            remove_frames(&transaction, retention, &mut state)?;
            let mut first_us = self.first_us;
            remove(&transaction, retention, now_us, &mut state, &mut first_us)?;
            self.first_us = first_us;
        }
        if state == self.state {
            transaction.abort()?;
            return Ok(outcomes);
        }
        transaction
            .open_table(STATE)?
            .insert(STATE_KEY, &state.encode()?[..])?;
        transaction.commit()?;
        self.state = state;
        Ok(outcomes)
    }
}

fn append(
    transaction: &WriteTransaction,
    entries: &[&Entry],
    state: &mut State,
    sealed: &mut HashSet<Hash>,
) -> Result<Vec<Outcome>, Fault> {
    let mut records = transaction.open_table(RECORDS)?;
    let mut frames = transaction.open_table(FRAMES)?;
    let mut boots = transaction.open_table(BOOTS)?;
    let mut provenance = transaction.open_table(PROVENANCE)?;
    let mut value = Vec::new();
    let mut outcomes = Vec::with_capacity(entries.len());
    for entry in entries {
        let expected = boots.get(entry.boot)?.map_or(0, |last| last.value() + 1);
        if entry.sequence < expected {
            outcomes.push(Outcome::Known);
            continue;
        }
        let of = &entry.provenance;
        if !sealed.contains(&of.hash) {
            provenance.insert(&of.hash.0, &of.bytes[..])?;
            sealed.insert(of.hash);
        }
        state.head = state.head.chain(&entry.bytes);
        value.clear();
        value.extend_from_slice(&state.head.0);
        value.extend_from_slice(&entry.bytes);
        records.insert(state.next, &value[..])?;
        if let Some(frame) = &entry.frame {
            frames.insert(state.next, &frame.stored[..])?;
            state.frames_bytes += frame.stored.len() as u64;
            state.format = FORMAT_FRAMES;
        }
        boots.insert(entry.boot, entry.sequence)?;
        outcomes.push(Outcome::Recorded {
            index: state.next,
            missing: entry.sequence - expected,
        });
        state.next += 1;
        state.bytes += (HASH_LEN + entry.len()) as u64;
    }
    Ok(outcomes)
}

/// Removes frames from the oldest on; their records stay.
fn remove_frames(
    transaction: &WriteTransaction,
    retention: &Retention,
    state: &mut State,
) -> Result<(), Fault> {
    let mut frames = transaction.open_table(FRAMES)?;
    for _ in 0..REMOVED_MAX {
        if !retention.is_over_frames(state.frames_bytes) {
            break;
        }
        let Some((index, frame)) = frames.pop_first()? else {
            // Somebody else removed them, which an audit finds.
            state.bytes -= state.frames_bytes.min(state.bytes);
            state.frames_bytes = 0;
            break;
        };
        state.forget_frame(frame.value().len());
        state.frames_first = index.value() + 1;
    }
    Ok(())
}

/// Removes records from the oldest on, with their frames.
fn remove(
    transaction: &WriteTransaction,
    retention: &Retention,
    now_us: u64,
    state: &mut State,
    first_us: &mut Option<u64>,
) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Received {
        host_time_us: u64,
    }
    let mut records = transaction.open_table(RECORDS)?;
    let mut frames = transaction.open_table(FRAMES)?;
    let until = state.next.min(state.first + REMOVED_MAX);
    while state.first < until {
        let received_us = match *first_us {
            Some(received_us) => received_us,
            None => {
                let row = records.get(state.first)?;
                let row = row.ok_or(Fault::Foreign("its first record is missing"))?;
                let record = row.value().get(HASH_LEN..).unwrap_or_default();
                // Of a record that does not decode, the age is not known.
                let received = serde_json::from_slice::<Received>(record);
                received.map_or(now_us, |received| received.host_time_us)
            }
        };
        *first_us = Some(received_us);
        let age = Duration::from_micros(now_us.saturating_sub(received_us));
        if !retention.is_over(state.next - state.first, state.bytes, age) {
            return Ok(());
        }
        let row = records.remove(state.first)?;
        let row = row.ok_or(Fault::Foreign("its first record is missing"))?;
        let hash = row.value().first_chunk::<HASH_LEN>();
        state.anchor = Hash(*hash.ok_or(Fault::Foreign("its first record has no hash"))?);
        state.bytes -= (row.value().len() as u64).min(state.bytes);
        if let Some(frame) = frames.remove(state.first)? {
            state.forget_frame(frame.value().len());
        }
        state.first += 1;
        *first_us = None;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn a_journal_from_before_there_were_frames_is_still_one() {
        let zeros = "0".repeat(64);
        let text = format!(
            r#"{{"format":1,"first":3,"anchor":"{zeros}","next":9,"head":"{zeros}","bytes":700}}"#
        );
        let state = State::decode(text.as_bytes()).unwrap();
        assert_eq!((state.frames_bytes, state.frames_first), (0, 0));
        let later = text.replace(r#""format":1"#, r#""format":3"#);
        assert!(State::decode(later.as_bytes()).is_err());
    }
}
