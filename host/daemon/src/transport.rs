//! The wire: a serial device opened for one session alone.
//!
//! A [`Wire`] is any byte stream; [`open`] gives the real one, or the socket that an emulator has
//! instead. Tests use an in-memory pair and a faulty one. What the bytes mean is left to `session`.

use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
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

/// Opens the serial device at `path`, 8 data bits, no parity, one stop bit, exclusively; or
/// connects to the socket there, which gives its line to one host at a time.
///
/// # Errors
/// [`TransportError`] says whether the device is absent, busy, forbidden or no serial device.
pub async fn open(path: &Path, baud: u32) -> Result<Box<dyn Wire>, TransportError> {
    let is_socket = std::fs::metadata(path).is_ok_and(|it| it.file_type().is_socket());
    if is_socket {
        let socket = UnixStream::connect(path).await;
        return socket
            .map(|socket| Box::new(socket) as Box<dyn Wire>)
            .map_err(|error| of_socket(path, baud, &error));
    }
    let name = path.to_string_lossy();
    tokio_serial::new(name, baud)
        .open_native_async()
        .map(|device| Box::new(device) as Box<dyn Wire>)
        .map_err(|error| {
            let path = path.to_owned();
            match error.kind {
                ErrorKind::Io(io::ErrorKind::NotFound) => TransportError::Absent { path },
                ErrorKind::Io(io::ErrorKind::PermissionDenied) => {
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

/// Why there is no connection to the socket at `path`. A socket at which nobody listens is what an
/// emulator leaves behind: the device is gone.
fn of_socket(path: &Path, baud: u32, error: &io::Error) -> TransportError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            TransportError::Absent { path }
        }
        io::ErrorKind::PermissionDenied => TransportError::Permission { path },
        io::ErrorKind::WouldBlock => TransportError::Busy { path },
        _ => TransportError::Unusable {
            path,
            baud,
            cause: error.to_string(),
        },
    }
}
