//! How far results have been passed on, in the journal's order, to somewhere else: a broker.
//!
//! The journal is the queue: what waits for an outbox is what lies from its [`Cursor`] on, and
//! [`retention`](crate::retention) has regard to it while the outbox is open. A cursor that moves
//! becomes durable with the next commit, within a second where no results come; after a crash an
//! outbox therefore finds itself a little further back.

use crate::error::JournalError;
use crate::reader::Reader;
use crate::writer::Shared;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far an outbox is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Index of the first record that is not passed on.
    pub next: u64,
    /// What its user wants to find again beside it.
    pub mark: String,
}

/// The outbox is open already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the outbox {0} is open already")]
pub struct OutboxInUse(pub String);

/// An open outbox; nothing waits for it any more when it is dropped.
#[derive(Debug)]
pub struct Outbox {
    name: String,
    path: PathBuf,
    shared: Arc<Shared>,
}

impl Outbox {
    pub(crate) fn open(
        name: &str,
        path: &Path,
        shared: Arc<Shared>,
        wake: Wake,
    ) -> Result<Self, OutboxInUse> {
        shared.outboxes.open(name, wake)?;
        Ok(Self {
            name: name.to_owned(),
            path: path.to_owned(),
            shared,
        })
    }

    /// How far it is.
    pub fn cursor(&self) -> Cursor {
        let boxes = self.shared.outboxes.lock();
        let known = boxes.get(&self.name);
        known.map(|state| state.cursor.clone()).unwrap_or_default()
    }

    /// Moves the cursor.
    pub fn advance(&self, cursor: Cursor) {
        if let Some(state) = self.shared.outboxes.lock().get_mut(&self.name) {
            state.is_stored &= state.cursor == cursor;
            state.cursor = cursor;
        }
    }

    /// The journal as it is now; for journals in files.
    ///
    /// # Errors
    /// When it can not be read.
    pub fn reader(&self) -> Result<Reader, JournalError> {
        Reader::open(&self.path)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        if let Some(state) = self.shared.outboxes.lock().get_mut(&self.name) {
            state.wake = None;
        }
    }
}

type Wake = Box<dyn Fn() + Send>;

/// Every outbox that is known.
#[derive(Debug, Default)]
pub(crate) struct Outboxes(Mutex<BTreeMap<String, State>>);

struct State {
    cursor: Cursor,
    is_stored: bool,
    /// `None` while it is not open.
    wake: Option<Wake>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cursor.fmt(f)
    }
}

impl Outboxes {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what the store has of them.
    pub fn remember(&self, cursors: Vec<(String, Cursor)>) {
        let known = cursors.into_iter().map(|(name, cursor)| {
            let state = State {
                cursor,
                is_stored: true,
                wake: None,
            };
            (name, state)
        });
        self.lock().extend(known);
    }

    fn open(&self, name: &str, wake: Wake) -> Result<(), OutboxInUse> {
        let mut boxes = self.lock();
        let state = boxes.entry(name.to_owned()).or_insert_with(|| State {
            cursor: Cursor::default(),
            is_stored: true,
            wake: None,
        });
        if state.wake.is_some() {
            return Err(OutboxInUse(name.to_owned()));
        }
        state.wake = Some(wake);
        Ok(())
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.lock().values().all(|state| state.wake.is_none())
    }

    /// Index from which on some open outbox waits for records.
    pub fn waited_from(&self) -> u64 {
        let boxes = self.lock();
        let open = boxes.values().filter(|state| state.wake.is_some());
        open.map(|state| state.cursor.next)
            .min()
            .unwrap_or(u64::MAX)
    }

    /// The cursors that have moved since they were written.
    pub fn moved(&self) -> Vec<(String, Cursor)> {
        let boxes = self.lock();
        let moved = boxes.iter().filter(|(_, state)| !state.is_stored);
        moved
            .map(|(name, state)| (name.clone(), state.cursor.clone()))
            .collect()
    }

    /// These cursors are written.
    pub fn stored(&self, cursors: &[(String, Cursor)]) {
        let mut boxes = self.lock();
        for (name, cursor) in cursors {
            if let Some(state) = boxes.get_mut(name) {
                state.is_stored |= state.cursor == *cursor;
            }
        }
    }

    /// Says that there are new records.
    pub fn wake(&self) {
        let boxes = self.lock();
        for wake in boxes.values().filter_map(|state| state.wake.as_ref()) {
            wake();
        }
    }
}
