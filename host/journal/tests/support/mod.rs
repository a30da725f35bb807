//! Results to record, and a disk that tests can fill, break and cut the power of.
#![allow(dead_code, reason = "every test uses a part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use microtome_journal::record::{Answer, Latency, Origin, Ticks};
use microtome_journal::{Entry, Hash, Journal, Medium, Outcome, Provenance, Record, Sealed};
use redb::{BackendError, StorageBackend};
use std::io::{self, ErrorKind};
use std::ops::Bound;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Longer than anything takes here.
pub const WAIT_MAX: Duration = Duration::from_secs(60);

pub fn provenance(device: &str) -> Sealed {
    let provenance = Provenance {
        device: device.to_owned(),
        board: "fake".to_owned(),
        ticks_hz: 1_000_000,
        ..Provenance::default()
    };
    provenance.seal().unwrap()
}

pub fn record(provenance: &Sealed, boot: u64, sequence: u64) -> Record {
    Record {
        host_time_us: 1_000_000 + sequence,
        provenance: provenance.hash,
        boot: format!("{boot:016x}"),
        sequence,
        acquisition: 0,
        frame: sequence as u32,
        ticks: Ticks::default(),
        clock: None,
        origin: Origin::Board,
        executor: "board".to_owned(),
        heavier: None,
        answer: Answer::Class {
            class: "red, or \"not\"".to_owned(),
            score: 0.1,
        },
        confidence: 1.0,
        board_confidence: 1.0,
        latency_us: Latency::default(),
        kept_frame: None,
        missed: 0,
    }
}

/// The frame of a result: boards from 100 on have theirs kept. Half of it is noise.
pub fn frame(boot: u64, sequence: u64) -> Option<Vec<u8>> {
    let seed = Hash::of(format!("{boot} {sequence}").as_bytes());
    let noise = (0..60_u8).flat_map(|part| Hash::of(&[&seed.0[..], &[part]].concat()).0);
    (boot >= 100).then(|| noise.flat_map(|byte| [byte, 7]).collect())
}

/// A result, with its frame if that is kept.
pub fn entry(journal: &Journal, boot: u64, sequence: u64) -> Entry {
    let provenance = provenance(&format!("scope-{boot}"));
    let frame = frame(boot, sequence).map(|frame| journal.pack(&frame).unwrap());
    let record = Record {
        kept_frame: frame.as_ref().map(|frame| frame.kept),
        ..record(&provenance, boot, sequence)
    };
    let entry = Entry::new(boot, sequence, &provenance, &record).unwrap();
    entry.with_frame(frame)
}

/// Submits results, and gives what becomes of each.
pub fn submit(journal: &Journal, results: &[(u64, u64)]) -> Receiver<((u64, u64), Outcome)> {
    let (sender, outcomes) = channel();
    for &(boot, sequence) in results {
        let sender = sender.clone();
        let done = move |outcome| {
            // Whoever does not wait does not hear.
            let _ = sender.send(((boot, sequence), outcome));
        };
        journal
            .submit(entry(journal, boot, sequence), done)
            .unwrap();
    }
    outcomes
}

/// Records results and waits until they are durable.
pub fn store(journal: &Journal, results: &[(u64, u64)]) -> Vec<Outcome> {
    let outcomes = submit(journal, results);
    let wait = |_| outcomes.recv_timeout(WAIT_MAX).unwrap().1;
    results.iter().map(wait).collect()
}

/// A disk in memory. It has a cache: what was written is safe once it was synced; when the power
/// goes, of each write since then some sectors are there and some are not.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What is safe.
    kept: Vec<u8>,
    /// What readers see.
    seen: Vec<u8>,
    /// Writes and lengths since the last sync.
    pending: Vec<Pending>,
    operations: u64,
    /// The power goes after so many operations.
    power_until: Option<u64>,
    /// Bytes that there is room for.
    room: Option<u64>,
    /// Every sync fails.
    sync_fails: bool,
    /// Raised with every power cut: what was opened before is dead.
    cuts: u64,
    seed: u64,
}

#[derive(Clone, Debug)]
enum Pending {
    Write(u64, Vec<u8>),
    Length(u64),
}

const SECTOR: usize = 512;

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The power goes after so many more writes and syncs.
    pub fn cut_after(&self, operations: u64, seed: u64) {
        let mut state = self.state();
        state.power_until = Some(state.operations + operations);
        state.seed = seed | 1;
    }

    /// The power is back; whether it was gone.
    pub fn power_on(&self) -> bool {
        let mut state = self.state();
        let was_cut = state
            .power_until
            .is_some_and(|until| state.operations >= until);
        if was_cut {
            state.lose();
        }
        state.power_until = None;
        was_cut
    }

    /// Leaves so many bytes of room beyond what is used; `None` is a disk without end.
    pub fn set_room(&self, more: Option<u64>) {
        let mut state = self.state();
        let used = state.seen.len() as u64;
        state.room = more.map(|more| used + more);
    }

    pub fn set_sync_fails(&self, fails: bool) {
        self.state().sync_fails = fails;
    }

    pub fn operations(&self) -> u64 {
        self.state().operations
    }
}

impl State {
    fn operate(&mut self, cuts: u64) -> io::Result<()> {
        self.check(cuts)?;
        self.operations += 1;
        self.check(cuts)
    }

    fn check(&self, cuts: u64) -> io::Result<()> {
        let is_dark = self
            .power_until
            .is_some_and(|until| self.operations >= until);
        if is_dark || cuts != self.cuts {
            return Err(io::Error::other("the power is gone"));
        }
        Ok(())
    }

    /// What a power cut leaves: of the writes since the last sync any sectors, in any order.
    fn lose(&mut self) {
        let mut kept = std::mem::take(&mut self.kept);
        for pending in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Length(len) => kept.resize(len as usize, 0),
                Pending::Write(offset, bytes) => {
                    for (index, sector) in bytes.chunks(SECTOR).enumerate() {
                        let at = offset as usize + index * SECTOR;
                        if self.random().is_multiple_of(2) && at + sector.len() <= kept.len() {
                            kept[at..at + sector.len()].copy_from_slice(sector);
                        }
                    }
                }
            }
        }
        self.seen.clone_from(&kept);
        self.kept = kept;
        self.cuts += 1;
    }

    /// Xorshift.
    fn random(&mut self) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed >> 11
    }
}

impl Medium for Disk {
    type Backend = Open;

    fn open(&self) -> io::Result<Open> {
        let cuts = self.state().cuts;
        self.state().check(cuts)?;
        Ok(Open {
            disk: self.clone(),
            cuts,
        })
    }

    fn path(&self) -> &Path {
        Path::new("disk")
    }
}

/// The disk since it was opened.
#[derive(Debug)]
pub struct Open {
    disk: Disk,
    cuts: u64,
}

impl StorageBackend for Open {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.disk.state();
        state.check(self.cuts)?;
        let at = offset as usize;
        let bytes = state.seen.get(at..at + out.len());
        out.copy_from_slice(bytes.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operate(self.cuts)?;
        // As on real disks, a hole needs no room until it is written.
        state.seen.resize(len as usize, 0);
        state.pending.push(Pending::Length(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operate(self.cuts)?;
        if state.sync_fails {
            return Err(io::Error::other("the disk does not answer"));
        }
        state.kept = state.seen.clone();
        state.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operate(self.cuts)?;
        let end = offset + data.len() as u64;
        if state.room.is_some_and(|room| end > room) {
            return Err(ErrorKind::StorageFull.into());
        }
        let range = offset as usize..end as usize;
        state.seen[range].copy_from_slice(data);
        state.pending.push(Pending::Write(offset, data.to_vec()));
        Ok(())
    }

    // One instance at a time is all that these tests open: every lock is free.
    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }
}
