//! The wire: a serial device opened for one session alone.
//!
//! A [`Wire`] is any byte stream; [`open`] gives the real one. An emulated board may have a socket
//! instead; tests use an in-memory pair and a faulty one. What the bytes mean is left to `session`.

use std::path::{Path, PathBuf};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_serial::{ErrorKind, SerialPortBuilderExt as _};

/// A byte stream to a board.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Wire for T {}

/// Bits a second unless the user says otherwise.
pub const BAUD_DEFAULT: u32 = 921_600;

/// Why a serial device could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// There is no such device.
    #[error("{}: no such device; `microtome devices` lists those plugged in", path.display())]
    Absent {
        /// Path of the device.
        path: PathBuf,
    },
    /// Another process holds it.
    #[error(
        "{}: in use by another program (a second daemon, a terminal?); close that",
        path.display()
    )]
    Busy {
        /// Path of the device.
        path: PathBuf,
    },
    /// The user may not open it.
    #[error(
        "{}: permission denied; add your user to the device's group (often dialout), log in again",
        path.display()
    )]
    Permission {
        /// Path of the device.
        path: PathBuf,
    },
    /// The path is no serial device, or does not take the settings.
    #[error("{}: not a serial device that takes {baud} baud: {cause}", path.display())]
    Unusable {
        /// Path of the device.
        path: PathBuf,
        /// Bits a second that were asked for.
        baud: u32,
        /// What the system said.
        cause: String,
    },
}

/// Opens the serial device at `path`, 8 data bits, no parity, one stop bit, exclusively.
///
/// # Errors
/// [`TransportError`] says whether the device is absent, busy, forbidden or no serial device.
pub fn open(path: &Path, baud: u32) -> Result<impl Wire, TransportError> {
    let name = path.to_string_lossy();
    tokio_serial::new(name, baud)
        .open_native_async()
        .map_err(|error| {
            let path = path.to_owned();
            match error.kind {
                ErrorKind::Io(std::io::ErrorKind::NotFound) => TransportError::Absent { path },
                ErrorKind::Io(std::io::ErrorKind::PermissionDenied) => {
                    TransportError::Permission { path }
                }
                // The lock that another holder of the device has is reported as "no device".
                ErrorKind::NoDevice => TransportError::Busy { path },
                _ => TransportError::Unusable {
                    path,
                    baud,
                    cause: error.description,
                },
            }
        })
}
