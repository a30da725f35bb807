//! The handle by which devices share the journal.

use crate::entry::{Entry, Outcome};
use crate::error::JournalError;
use crate::frame::{Budget, Frame};
use crate::medium::{FileMedium, Medium};
use crate::retention::Retention;
use crate::store::Store;
use crate::writer::{Job, Shared, Writer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

/// Results that wait for the writer at most.
pub const QUEUE_LEN: usize = 4096;

/// An open journal, written by a thread of its own.
///
/// When it is dropped, what waits is still written; where the medium fails, once more and then no
/// longer.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// `None` only while it is dropped.
    queue: Option<SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    frames: Budget,
}

/// An entry was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too many wait already, because the medium fails or is too slow.
    #[error("the journal can not keep up: {QUEUE_LEN} results wait for it")]
    Full,
    /// The writer is gone.
    #[error("the journal's writer has ended")]
    Ended,
}

impl Journal {
    /// Opens the journal in the file at `path`, making it if need be.
    ///
    /// # Errors
    /// When the file can not be opened and read, is no journal, or belongs to another daemon.
    pub fn open(path: &Path, retention: Retention) -> Result<Self, JournalError> {
        Self::on(FileMedium::new(path), retention)
    }

    /// Opens the journal on `medium`.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn on(medium: impl Medium, retention: Retention) -> Result<Self, JournalError> {
        let path = medium.path().to_owned();
        let store = medium
            .open()
            .map_err(Into::into)
            .and_then(Store::open)
            .map_err(|fault| JournalError::Store {
                path: path.clone(),
                fault,
            })?;
        let (queue, jobs) = sync_channel(QUEUE_LEN);
        let shared = Arc::new(Shared::default());
        let writer = Writer::new(medium, store, retention, Arc::clone(&shared));
        let writer = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(&jobs))
            .map_err(JournalError::Thread)?;
        Ok(Self {
            path,
            queue: Some(queue),
            writer: Some(writer),
            shared,
            frames: Budget::default(),
        })
    }

    /// Packs a frame that is to be kept with its result, which is to name it. `None` where too many
    /// frames wait already: the result is then recorded without.
    pub fn pack(&self, frame: &[u8]) -> Option<Frame> {
        self.frames.pack(frame)
    }

    /// Has `entry` recorded; `done` is called once it is durable, with what became of it. It is
    /// called on the writer's thread and must not block. It is never called where the journal is
    /// dropped before the medium takes the entry.
    ///
    /// # Errors
    /// When there is no room; then `done` is not called.
    pub fn submit(
        &self,
        entry: Entry,
        done: impl FnOnce(Outcome) + Send + 'static,
    ) -> Result<(), Refused> {
        let job = Job {
            entry,
            done: Box::new(done),
        };
        let queue = self.queue.as_ref().ok_or(Refused::Ended)?;
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Full,
            TrySendError::Disconnected(_) => Refused::Ended,
        })
    }

    /// Why nothing is recorded at present, if that is so.
    pub fn trouble(&self) -> Option<String> {
        self.shared.trouble()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.queue = None;
        self.shared.close();
        if let Some(writer) = self.writer.take() {
            writer.thread().unpark();
            // A panic of the writer has been reported on its thread.
            let _ = writer.join();
        }
    }
}
