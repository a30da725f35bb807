//! The record of every result: one JSON object a line.
//!
//! [`Journal::append`] returns once the whole line has been handed to the operating system in one
//! write, so a line survives the daemon's death; only then is the result counted as received. The
//! disk is told to keep it by [`Journal::sync`], which the daemon calls once a second and at the
//! end: a power cut may cost the last second. A write that fails leaves no half line behind.

use crate::record::Record;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// An open journal; devices share it.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

/// Why a result could not be recorded.
#[derive(Debug, thiserror::Error)]
#[error("journal {}: can not {action}: {source}", path.display())]
pub struct JournalError {
    path: PathBuf,
    action: &'static str,
    source: std::io::Error,
}

impl Journal {
    /// Opens the journal at `path` for appending, making it if need be. An unfinished last line,
    /// as a full disk or a dead machine leaves it, is ended so that it spoils no other.
    ///
    /// # Errors
    /// When the file can not be opened for reading and writing.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let error = |source| JournalError {
            path: path.to_owned(),
            action: "open it",
            source,
        };
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(error)?;
        if !ends_with_newline(&mut file).map_err(error)? {
            tracing::warn!(path = %path.display(), "the last line of the journal is unfinished");
            file.write_all(b"\n").map_err(error)?;
        }
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(file),
        })
    }

    /// Appends one result.
    ///
    /// # Errors
    /// When the line could not be written whole; the journal is then as it was before.
    pub fn append(&self, record: &Record) -> Result<(), JournalError> {
        let mut line = serde_json::to_vec(record)
            .map_err(|error| self.error("encode a result for it", error.into()))?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let len = file
            .metadata()
            .map_err(|error| self.error("measure it", error))?
            .len();
        file.write_all(&line).map_err(|error| {
            // If this fails as well, the next open ends the half line.
            let _ = file.set_len(len);
            self.error("write to it", error)
        })
    }

    /// Has the disk keep what was appended.
    ///
    /// # Errors
    /// When the system can not promise it.
    pub fn sync(&self) -> Result<(), JournalError> {
        let file = self
            .file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .try_clone();
        file.and_then(|file| file.sync_data())
            .map_err(|error| self.error("sync it", error))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, action: &'static str, source: std::io::Error) -> JournalError {
        JournalError {
            path: self.path.clone(),
            action,
            source,
        }
    }
}

fn ends_with_newline(file: &mut File) -> std::io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}
