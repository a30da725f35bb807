//! The journal's results as messages, in its order.

use crate::names::token_of;
use microtome_journal::reader::{Reader, Stored};
use microtome_journal::{Cursor, Hash, Journal, JournalError, Outbox, OutboxInUse, Provenance};
use serde::Deserialize;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// Results that are read at once.
const BATCH_MAX: usize = 512;
/// Bytes of messages that are read at once.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// An outbox of the journal, and what it takes to make messages of its records.
#[derive(Debug)]
pub(crate) struct Feed {
    outbox: Outbox,
    woken: Arc<Notify>,
    /// Where the cursor is.
    next: watch::Sender<u64>,
    /// Provenances that were read before, with their devices.
    known: HashMap<Hash, Arc<Origin>>,
}

/// A provenance, as the journal has it, and the token of its device.
#[derive(Debug)]
struct Origin {
    bytes: Vec<u8>,
    device: String,
}

/// How far results of a journal have been passed on.
#[derive(Clone, Debug)]
pub struct Progress(watch::Receiver<u64>);

impl Progress {
    /// Waits until all results that the journal has now are passed on, but no longer than `limit`;
    /// whether they are.
    pub async fn wait(&mut self, journal: &Journal, limit: Duration) -> bool {
        let Ok(reader) = Reader::open(journal.path()) else {
            return false;
        };
        let end = reader.indexes().end;
        let passed = timeout(limit, self.0.wait_for(|next| *next >= end)).await;
        passed.is_ok_and(|passed| passed.is_ok())
    }
}

/// A result on its way.
#[derive(Debug)]
pub(crate) struct Item {
    /// Its place in the journal.
    pub index: u64,
    /// Its hash in the chain.
    pub hash: Hash,
    /// Its device, as a token.
    pub device: String,
    /// What it has in common with no other result: the board's start and its number.
    pub id: String,
    /// The line that an export would have of it.
    pub body: Vec<u8>,
}

/// What the journal has of an index.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Indexes that are there.
    pub indexes: Range<u64>,
    /// Hash of the record before the first one.
    pub anchor: Hash,
    /// Hash of the record that was asked for, where it is there.
    pub hash: Option<Hash>,
}

impl Feed {
    /// The results that the outbox `name` has not passed on.
    pub fn open(journal: &Journal, name: &str) -> Result<Self, OutboxInUse> {
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        let outbox = journal.outbox(name, move || wake.notify_one())?;
        Ok(Self {
            next: watch::Sender::new(outbox.cursor().next),
            outbox,
            woken,
            known: HashMap::new(),
        })
    }

    pub fn cursor(&self) -> Cursor {
        self.outbox.cursor()
    }

    pub fn advance(&self, cursor: Cursor) {
        self.next.send_replace(cursor.next);
        self.outbox.advance(cursor);
    }

    /// How far it is, for those who wait.
    pub fn progress(&self) -> Progress {
        Progress(self.next.subscribe())
    }

    /// Waits until there may be more, but no longer than `limit`; whether there may.
    pub async fn more(&self, limit: Duration) -> bool {
        timeout(limit, self.woken.notified()).await.is_ok()
    }

    /// What the journal has, and of `index`.
    pub fn known(&self, index: u64) -> Result<Known, JournalError> {
        let reader = self.outbox.reader()?;
        let found = reader.record(index)?;
        Ok(Known {
            indexes: reader.indexes(),
            anchor: reader.ends().0,
            hash: found.map(|stored| stored.hash),
        })
    }

    /// The next results from `index` on, or from the first one that is still there.
    pub fn read(&mut self, index: u64) -> Result<Vec<Item>, JournalError> {
        let reader = self.outbox.reader()?;
        let mut items = Vec::new();
        let mut bytes = 0;
        for stored in reader.records_from(index)?.take(BATCH_MAX) {
            let item = self.item(&reader, &stored?)?;
            bytes += item.body.len();
            items.push(item);
            if bytes >= BATCH_BYTES_MAX {
                break;
            }
        }
        Ok(items)
    }

    fn item(&mut self, reader: &Reader, stored: &Stored) -> Result<Item, JournalError> {
        #[derive(Deserialize)]
        struct Named {
            provenance: Hash,
            boot: String,
            sequence: u64,
        }
        let Stored { index, hash, .. } = *stored;
        let named = serde_json::from_slice::<Named>(&stored.record).ok();
        let origin = match &named {
            Some(named) => self.origin(reader, &named.provenance)?,
            None => None,
        };
        let mut body = Vec::new();
        let device = match &origin {
            Some(origin) => {
                body = stored.to_json(&origin.bytes);
                origin.device.clone()
            }
            None => {
                tracing::error!("record {index} is damaged; `microtome audit` tells more");
                let text = format!(r#"{{"index":{index},"hash":"{hash}","damaged":true}}"#);
                body.extend(text.into_bytes());
                token_of("")
            }
        };
        let id = match named {
            Some(named) => format!("{}-{}", named.boot, named.sequence),
            None => hash.to_string(),
        };
        Ok(Item {
            index,
            hash,
            device,
            id,
            body,
        })
    }

    fn origin(
        &mut self,
        reader: &Reader,
        hash: &Hash,
    ) -> Result<Option<Arc<Origin>>, JournalError> {
        if let Some(origin) = self.known.get(hash) {
            return Ok(Some(Arc::clone(origin)));
        }
        let Some(bytes) = reader.provenance_bytes(hash)? else {
            return Ok(None);
        };
        let Ok(provenance) = serde_json::from_slice::<Provenance>(&bytes) else {
            return Ok(None);
        };
        let device = token_of(&provenance.device);
        let origin = Arc::new(Origin { bytes, device });
        if self.known.len() >= BATCH_MAX {
            self.known.clear();
        }
        self.known.insert(*hash, Arc::clone(&origin));
        Ok(Some(origin))
    }
}
