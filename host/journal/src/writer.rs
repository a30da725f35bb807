//! The one thread that writes: all results that wait make one commit, so that the cost of a commit
//! is shared by as many devices as come meanwhile.
//!
//! A commit that fails is tried again, on the medium opened anew, until it succeeds or the journal
//! is closed: a full disk or a lost network folder delays results, and boards hold what is not
//! acknowledged. Nobody is told of a result before its commit has returned.

use crate::entry::{Entry, Outcome};
use crate::error::Fault;
use crate::medium::Medium;
use crate::retention::Retention;
use crate::store::Store;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Entries of one commit at most.
const BATCH_MAX: usize = 1024;
/// Bytes of one commit, but for those of its last entry.
const BATCH_BYTES_MAX: usize = 16 << 20;
/// Pause before a commit is tried again for the first time.
const RETRY_MIN: Duration = Duration::from_millis(100);
/// Pause at last.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How often a failure that lasts is said again.
const REMIND_PERIOD: Duration = Duration::from_secs(60);
/// How often old records are looked for where no new ones come.
const RETENTION_PERIOD: Duration = Duration::from_secs(60);

/// An entry and who waits for it.
pub(crate) struct Job {
    pub entry: Entry,
    pub done: Box<dyn FnOnce(Outcome) + Send>,
}

/// What the writer and the handle tell each other.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    is_closing: AtomicBool,
    trouble: Mutex<Option<String>>,
}

impl Shared {
    /// The writer is to end, also where the medium fails.
    pub fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
    }

    pub fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }
}

/// The journal was closed while its medium failed.
struct GivenUp;

pub(crate) struct Writer<M> {
    medium: M,
    /// `None` after a failure, until the medium is open again.
    store: Option<Store>,
    retention: Retention,
    shared: Arc<Shared>,
}

impl<M: Medium> Writer<M> {
    pub fn new(medium: M, store: Store, retention: Retention, shared: Arc<Shared>) -> Self {
        Self {
            medium,
            store: Some(store),
            retention,
            shared,
        }
    }

    /// Writes until the handle is dropped.
    pub fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let batch = match jobs.recv_timeout(RETENTION_PERIOD) {
                Ok(job) => batch(job, jobs),
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let entries: Vec<&Entry> = batch.iter().map(|job| &job.entry).collect();
            match self.persist(&entries) {
                Ok(outcomes) => {
                    for (job, outcome) in batch.into_iter().zip(outcomes) {
                        (job.done)(outcome);
                    }
                }
                Err(GivenUp) => {
                    let path = self.medium.path().display();
                    let left = batch.len() + jobs.try_iter().count();
                    tracing::error!(
                        "journal {path}: {left} results were not recorded; their boards hold them"
                    );
                    return;
                }
            }
        }
    }

    /// Commits, as often as it takes.
    fn persist(&mut self, entries: &[&Entry]) -> Result<Vec<Outcome>, GivenUp> {
        let begun = Instant::now();
        let mut pause = RETRY_MIN;
        let mut said: Option<Instant> = None;
        loop {
            let was_closing = self.shared.is_closing();
            let fault = match self.commit(entries) {
                Ok(outcomes) => {
                    if said.is_some() {
                        self.shared.set_trouble(None);
                        let (path, after) = (self.medium.path().display(), begun.elapsed());
                        tracing::info!("journal {path}: records again after {after:.1?}");
                    }
                    return Ok(outcomes);
                }
                Err(fault) => fault,
            };
            self.store = None;
            let text = fault.to_string();
            let is_new = self.shared.trouble().as_deref() != Some(&text);
            if is_new || said.is_none_or(|said| said.elapsed() >= REMIND_PERIOD) {
                let path = self.medium.path().display();
                tracing::error!(
                    "journal {path}: nothing is recorded or acknowledged until this ends: {text}"
                );
                said = Some(Instant::now());
            }
            self.shared.set_trouble(Some(text));
            if was_closing {
                return Err(GivenUp);
            }
            thread::park_timeout(pause);
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    fn commit(&mut self, entries: &[&Entry]) -> Result<Vec<Outcome>, Fault> {
        let store = match &mut self.store {
            Some(store) => store,
            none => none.insert(Store::open(self.medium.open()?)?),
        };
        store.commit(entries, &self.retention, unix_us())
    }
}

/// The entries of the next commit: `first`, and what waits beside it.
fn batch(first: Job, jobs: &Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.entry.len();
    let mut batch = vec![first];
    while batch.len() < BATCH_MAX
        && bytes < BATCH_BYTES_MAX
        && let Ok(job) = jobs.try_recv()
    {
        bytes += job.entry.len();
        batch.push(job);
    }
    batch
}

/// Microseconds since 1970, UTC.
fn unix_us() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{BATCH_BYTES_MAX, Job, batch};
    use crate::entry::Entry;
    use crate::hash::Hash;
    use crate::record::Sealed;
    use std::sync::mpsc::channel;

    fn job(len: usize) -> Job {
        let entry = Entry {
            boot: 7,
            sequence: 0,
            provenance: Sealed {
                hash: Hash::default(),
                bytes: [].into(),
            },
            bytes: vec![0; len],
            frame: None,
        };
        let done = Box::new(|_| ());
        Job { entry, done }
    }

    #[test]
    fn a_commit_is_bounded_in_number_and_in_bytes() {
        let (sender, jobs) = channel();
        let wait = |count, len| (0..count).for_each(|_| sender.send(job(len)).unwrap());
        wait(2000, 100);
        assert_eq!(batch(job(100), &jobs).len(), 1024);
        assert_eq!(batch(job(100), &jobs).len(), 978);
        wait(5, BATCH_BYTES_MAX / 2);
        assert_eq!(batch(job(BATCH_BYTES_MAX / 3), &jobs).len(), 3);
        assert_eq!(batch(job(BATCH_BYTES_MAX * 2), &jobs).len(), 1);
        assert_eq!(batch(job(0), &jobs).len(), 3);
    }
}
