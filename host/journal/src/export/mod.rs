//! A journal in the formats that other programs read.
//!
//! [`Format::Jsonl`] has everything: each line holds the record with its place and hash in the
//! chain, its provenance, and the record's bytes as they were hashed. [`Format::Csv`] and
//! [`Format::Parquet`] have the same columns, which `columns` names once; lists of objects stand in
//! them as JSON. The frames that are kept are exported by [`export_frames`].

mod columns;
mod frames;
mod parquet;

pub use frames::{ExportedFrames, FrameFormat, export_frames};

use crate::error::JournalError;
use crate::reader::{Reader, Stored};
use crate::record::{Provenance, Record};
use columns::{COLUMNS, Row};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Write};
use std::path::PathBuf;

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a line of names.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// Which records are exported; without conditions, all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of this device.
    pub device: Option<String>,
    /// Only those received at this time or later, in microseconds since 1970, UTC.
    pub from_us: Option<u64>,
    /// Only those received before this time.
    pub until_us: Option<u64>,
}

impl Filter {
    fn takes(&self, record: &Record, provenance: &Provenance) -> bool {
        let time_us = record.host_time_us;
        self.from_us.is_none_or(|from| time_us >= from)
            && self.until_us.is_none_or(|until| time_us < until)
            && self
                .device
                .as_ref()
                .is_none_or(|device| *device == provenance.device)
    }
}

/// Why a journal could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The journal can not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record does not decode, or its provenance is missing.
    #[error("record {index} can not be read; `microtome audit` tells more")]
    Record {
        /// Its place in the journal.
        index: u64,
    },
    /// A frame is not the one that its record names.
    #[error("the frame of record {index} can not be read; `microtome audit` tells more")]
    Frame {
        /// The place of its record in the journal.
        index: u64,
    },
    /// The frames of a device are no images.
    #[error(
        "the frames of device {device} are no images: {cause}; export them as npy, or another \
         --device"
    )]
    NoImages {
        /// The user's name of it.
        device: String,
        /// Why not.
        cause: String,
    },
    /// The frames of a device are no array.
    #[error("the frames of device {device} are no array: {cause}; choose another --device")]
    NoArray {
        /// The user's name of it.
        device: String,
        /// Why not.
        cause: String,
    },
    /// A file can not be made.
    #[error("cannot make {}: {source}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The export can not be written.
    #[error("the export can not be written: {0}")]
    Write(#[from] io::Error),
}

/// Writes the records that `filter` takes to `out`; how many there were.
///
/// # Errors
/// [`ExportError`].
pub fn export(
    reader: &Reader,
    filter: &Filter,
    format: Format,
    out: impl Write + Send,
) -> Result<u64, ExportError> {
    match format {
        Format::Jsonl => jsonl(reader, filter, out),
        Format::Csv => csv(reader, filter, out),
        Format::Parquet => {
            let mut table = parquet::Table::new(out)?;
            let records = each(reader, filter, &mut |row, _| table.push(row))?;
            table.finish()?;
            Ok(records)
        }
    }
}

fn jsonl(reader: &Reader, filter: &Filter, mut out: impl Write) -> Result<u64, ExportError> {
    let records = each(reader, filter, &mut |row, stored| {
        let provenance = serde_json::to_vec(row.provenance)?;
        out.write_all(&stored.to_json(&provenance))?;
        out.write_all(b"\n")
    })?;
    out.flush()?;
    Ok(records)
}

fn csv(reader: &Reader, filter: &Filter, mut out: impl Write) -> Result<u64, ExportError> {
    let names = COLUMNS.iter().map(|column| column.name.to_owned());
    write_line(&mut out, names)?;
    let records = each(reader, filter, &mut |row, _| {
        let values = COLUMNS.iter().map(|column| (column.value)(row).text());
        write_line(&mut out, values)
    })?;
    out.flush()?;
    Ok(records)
}

/// One line of RFC 4180.
fn write_line(out: &mut impl Write, fields: impl Iterator<Item = String>) -> io::Result<()> {
    let quoted = fields.map(|field| match field.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field,
    });
    let line: Vec<String> = quoted.collect();
    out.write_all(line.join(",").as_bytes())?;
    out.write_all(b"\r\n")
}

/// Gives every record that `filter` takes to `take`; how many there were.
fn each<E: Into<ExportError>>(
    reader: &Reader,
    filter: &Filter,
    take: &mut dyn FnMut(&Row<'_>, &Stored) -> Result<(), E>,
) -> Result<u64, ExportError> {
    let mut known = HashMap::new();
    let mut count = 0;
    for stored in reader.records()? {
        let stored = stored?;
        let index = stored.index;
        let unreadable = || ExportError::Record { index };
        let record: Record = serde_json::from_slice(&stored.record).map_err(|_| unreadable())?;
        let provenance = match known.entry(record.provenance) {
            Entry::Occupied(entry) => &*entry.into_mut(),
            Entry::Vacant(entry) => {
                let provenance = reader.provenance(&record.provenance)?;
                &*entry.insert(provenance.ok_or_else(unreadable)?)
            }
        };
        if filter.takes(&record, provenance) {
            let row = Row {
                index,
                hash: stored.hash,
                record: &record,
                provenance,
            };
            take(&row, &stored).map_err(Into::into)?;
            count += 1;
        }
    }
    Ok(count)
}
