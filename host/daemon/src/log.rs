//! A device's log, shown through `tracing` under the target `board` with the device's name.
//!
//! Boards log with defmt: what they send are numbers, and the unstripped ELF file of their
//! firmware has the texts. Boards that are processes of the host send text.

use defmt_decoder::Table;
use microtome_link::Log;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Shows the log of one device.
#[derive(Clone, Debug)]
pub struct DeviceLog {
    device: String,
    table: Option<Arc<Table>>,
}

/// Why an ELF file decodes no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file can not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file has no log texts that this build understands.
    #[error("{}: {cause}; give the unstripped ELF file of the device's firmware", path.display())]
    NoTable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
}

impl DeviceLog {
    /// The log of `device`; defmt is counted but not shown.
    pub fn new(device: &str) -> Self {
        Self {
            device: device.to_owned(),
            table: None,
        }
    }

    /// As [`DeviceLog::new`], with the ELF file of the device's firmware, to show defmt as well.
    ///
    /// # Errors
    /// [`LogError`] when the file can not be read or has no defmt table.
    pub fn with_elf(device: &str, path: &Path) -> Result<Self, LogError> {
        let elf = std::fs::read(path).map_err(|source| LogError::Read {
            path: path.to_owned(),
            source,
        })?;
        let no_table = |cause| LogError::NoTable {
            path: path.to_owned(),
            cause,
        };
        let table = Table::parse(&elf)
            .map_err(|error| no_table(error.to_string()))?
            .ok_or_else(|| no_table("it has no defmt section".to_owned()))?;
        Ok(Self {
            device: device.to_owned(),
            table: Some(Arc::new(table)),
        })
    }

    /// The device's name.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Shows one entry.
    pub(crate) fn show(&self, entry: &Log<'_>) {
        match *entry {
            Log::Text(text) => {
                // "WARN the text", as firmware on a host logs.
                let (level, rest) = text.split_once(' ').unwrap_or(("", text));
                match level {
                    "INFO" => self.emit("info", rest),
                    "WARN" => self.emit("warn", rest),
                    _ => self.emit("info", text),
                }
            }
            Log::Dropped(count) => self.emit("warn", &format!("{count} log entries were lost")),
            Log::Defmt(bytes) => match self.table.as_ref().map(|table| table.decode(bytes)) {
                None => self.emit("trace", "a defmt entry, and no ELF file to decode it with"),
                Some(Err(_)) => {
                    self.emit(
                        "warn",
                        "a log entry does not decode: is the ELF file the board's?",
                    );
                }
                Some(Ok((frame, _))) => {
                    let level = frame.level().map_or("info", |level| level.as_str());
                    let time = frame.display_timestamp();
                    let time = time.map(|time| format!("{time} ")).unwrap_or_default();
                    self.emit(level, &format!("{time}{}", frame.display_message()));
                }
            },
        }
    }

    fn emit(&self, level: &str, text: &str) {
        let device = &*self.device;
        match level {
            "error" => tracing::error!(target: "board", device, "{text}"),
            "warn" => tracing::warn!(target: "board", device, "{text}"),
            "debug" => tracing::debug!(target: "board", device, "{text}"),
            "trace" => tracing::trace!(target: "board", device, "{text}"),
            _ => tracing::info!(target: "board", device, "{text}"),
        }
    }
}
