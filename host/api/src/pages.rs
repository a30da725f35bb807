//! Results from the journal, a page at a time.
//!
//! A page is read in one snapshot of the journal, on a thread that may block; how many are read at
//! a time, and how much of the journal one looks at, is bounded.

use crate::problem::Problem;
use microtome_journal::{Hash, JournalError, Reader};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Pages that are read at a time.
const READERS_MAX: usize = 4;
/// Records that one page looks at.
const SCANNED_MAX: u64 = 50_000;
/// Bytes of one page, beyond which no further result is taken.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// Which results are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub device: Option<String>,
    pub from_us: Option<u64>,
    pub until_us: Option<u64>,
}

/// Some results in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// Each as one JSON object.
    pub results: Vec<String>,
    /// Index of the first record that was not looked at.
    pub next: u64,
    /// Whether the journal has such a record already.
    pub more: bool,
    /// Records that were asked for and are no longer there.
    pub missed: u64,
}

/// The newest record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Index of the next record.
    pub next: u64,
    pub hash: Hash,
}

/// Reads pages of a journal.
#[derive(Debug)]
pub(crate) struct Pages {
    path: PathBuf,
    readers: Arc<Semaphore>,
}

impl Pages {
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            readers: Arc::new(Semaphore::new(READERS_MAX)),
        }
    }

    /// Up to `len_max` results that `filter` takes, from index `next` on.
    pub async fn read(&self, next: u64, filter: &Filter, len_max: u32) -> Result<Page, Problem> {
        let filter = filter.clone();
        self.with_reader(move |reader| page(reader, next, &filter, len_max as usize))
            .await
    }

    /// The newest record.
    pub async fn head(&self) -> Result<Head, Problem> {
        self.with_reader(|reader| {
            let (next, (_, hash)) = (reader.indexes().end, reader.ends());
            Ok(Head { next, hash })
        })
        .await
    }

    async fn with_reader<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = Arc::clone(&self.readers).acquire_owned().await;
        let path = self.path.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            read(&Reader::open(&path).map_err(unreadable)?)
        });
        done.await
            .unwrap_or_else(|_| Err(Problem::failed("the journal could not be read")))
    }
}

fn unreadable(error: JournalError) -> Problem {
    tracing::warn!("{error}");
    Problem::busy("the journal can not be read at present; the daemon's log says why")
}

/// What a filter looks at of a record.
#[derive(Deserialize)]
struct Looked {
    host_time_us: u64,
    provenance: Hash,
}

/// What a filter looks at of a provenance.
#[derive(Deserialize)]
struct Origin {
    device: String,
}

fn page(reader: &Reader, next: u64, filter: &Filter, len_max: usize) -> Result<Page, Problem> {
    let indexes = reader.indexes();
    if next > indexes.end {
        return Err(Problem::conflict(format!(
            "the journal's next record is {}: was `after` noted from another journal?",
            indexes.end
        )));
    }
    let first = next.max(indexes.start);
    let mut page = Page {
        next: first,
        missed: first - next,
        ..Page::default()
    };
    let mut known = HashMap::new();
    let mut bytes = 0;
    for stored in reader.records_from(first).map_err(unreadable)? {
        let is_full = page.results.len() == len_max || bytes > PAGE_BYTES_MAX;
        if is_full || page.next - first == SCANNED_MAX {
            break;
        }
        let stored = stored.map_err(unreadable)?;
        page.next = stored.index + 1;
        let looked = serde_json::from_slice::<Looked>(&stored.record);
        let looked = looked.map_err(|_| damaged(stored.index))?;
        let (device, provenance) = match known.entry(looked.provenance) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let origin = origin(reader, &looked.provenance)?;
                entry.insert(origin.ok_or_else(|| damaged(stored.index))?)
            }
        };
        let time_us = looked.host_time_us;
        let is_wanted = filter.from_us.is_none_or(|from| time_us >= from)
            && filter.until_us.is_none_or(|until| time_us < until)
            && filter.device.as_ref().is_none_or(|wanted| wanted == device);
        if is_wanted {
            let line = stored.to_json(provenance);
            let line = String::from_utf8(line).map_err(|_| damaged(stored.index))?;
            bytes += line.len();
            page.results.push(line);
        }
    }
    page.more = page.next < indexes.end;
    Ok(page)
}

/// The device of a provenance, and its bytes.
fn origin(reader: &Reader, hash: &Hash) -> Result<Option<(String, Vec<u8>)>, Problem> {
    let bytes = reader.provenance_bytes(hash).map_err(unreadable)?;
    Ok(bytes.and_then(|bytes| {
        let origin = serde_json::from_slice::<Origin>(&bytes).ok()?;
        Some((origin.device, bytes))
    }))
}

fn damaged(index: u64) -> Problem {
    Problem::failed(format!(
        "record {index} can not be read; `microtome audit` tells more"
    ))
}
