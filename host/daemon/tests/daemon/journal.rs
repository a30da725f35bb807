//! What an instrument does while its journal can not be written.

use crate::support::{FakeBoard, plans, records};
use microtome_daemon::{DeviceLog, Instrument, Services, Session, stop};
use microtome_journal::{FileMedium, Journal, Medium, Retention};
use microtome_link::message::{Acquisition, HELD_MAX, Mode};
use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};
use std::io::{self, ErrorKind};
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A file on a disk that is full when it is told to be.
struct Full {
    file: FileMedium,
    is_full: Arc<AtomicBool>,
}

#[derive(Debug)]
struct FullBackend {
    file: FileBackend,
    is_full: Arc<AtomicBool>,
}

impl Medium for Full {
    type Backend = FullBackend;

    fn open(&self) -> io::Result<FullBackend> {
        Ok(FullBackend {
            file: self.file.open()?,
            is_full: Arc::clone(&self.is_full),
        })
    }

    fn path(&self) -> &Path {
        self.file.path()
    }
}

impl StorageBackend for FullBackend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self.is_full.load(Ordering::Relaxed) {
            true => Err(ErrorKind::StorageFull.into()),
            false => self.file.write(offset, data),
        }
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, begin: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(begin, end)
    }

    fn try_lock_shared_range(
        &self,
        begin: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(begin, end)
    }

    fn lock_range(&self, begin: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(begin, end)
    }

    fn lock_shared_range(&self, begin: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(begin, end)
    }

    fn unlock_range(&self, begin: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(begin, end)
    }

    fn query_lock_range(&self, begin: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(begin, end)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_makes_the_board_wait_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let is_full = Arc::new(AtomicBool::new(false));
    let medium = Full {
        file: FileMedium::new(&path),
        is_full: Arc::clone(&is_full),
    };
    let services = Arc::new(Services {
        plans: plans(),
        offload: None,
        journal: Journal::on(medium, Retention::default()).unwrap(),
        ledger: Arc::default(),
    });
    is_full.store(true, Ordering::Relaxed);

    let session = Session::over(FakeBoard::default().start(), DeviceLog::new("scope")).await;
    let session = session.unwrap_or_else(|error| panic!("{error}"));
    let mut instrument = Instrument::new(session, Arc::clone(&services));
    let count = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&count);
    let acquired = tokio::spawn(async move {
        let how = Acquisition {
            frames: 3 * HELD_MAX as u32,
            period_us: 0,
            offload: false,
            deadline_ms: 0,
            mode: Mode::Rate,
        };
        let (_stopper, mut stop) = stop();
        let seen = &mut |_: &_| _ = seen.fetch_add(1, Ordering::Relaxed);
        instrument.acquire(how, &mut stop, seen).await.unwrap();
        instrument.summary()
    });
    while services.journal.trouble().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let trouble = services.journal.trouble().unwrap();
    assert!(trouble.contains("no storage space"), "{trouble}");
    assert_eq!(count.load(Ordering::Relaxed), 0);
    assert!(!acquired.is_finished());

    is_full.store(false, Ordering::Relaxed);
    let summary = acquired.await.unwrap();
    assert_eq!((summary.frames, summary.lost), (3 * HELD_MAX as u64, 0));
    assert_eq!(count.load(Ordering::Relaxed), summary.frames);
    drop(services);
    let sequences: Vec<_> = records(&path)
        .iter()
        .map(|record| record["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(sequences, (0..summary.frames).collect::<Vec<_>>());
}
