//! Where the bytes of a journal lie.
//!
//! [`FileMedium`] is the real one; tests give media that are full, fail, or tear writes apart.

use crate::error::Fault;
use crate::store::builder;
use redb::StorageBackend;
use redb::backends::FileBackend;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A place for a journal, which can be opened again after it failed.
pub trait Medium: Send + 'static {
    /// What reads and writes it.
    type Backend: StorageBackend;

    /// Opens it, making it if need be.
    ///
    /// # Errors
    /// What the system says.
    fn open(&self) -> io::Result<Self::Backend>;

    /// What it is called in messages.
    fn path(&self) -> &Path;
}

/// A file.
#[derive(Clone, Debug)]
pub struct FileMedium(PathBuf);

impl FileMedium {
    /// The file at `path`.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Makes an empty journal beside its place, then puts it there: whatever happens meanwhile, a
    /// journal is there whole or not at all, and takes the place of no other.
    fn make(&self) -> io::Result<()> {
        let mut beside = self.0.clone().into_os_string();
        beside.push(format!(".{}.new", std::process::id()));
        let beside = PathBuf::from(beside);
        File::create(&beside)?;
        let made = builder().create(&beside).map(drop);
        let made = made.map_err(|error| match Fault::from(error) {
            Fault::Io(error) => error,
            fault => io::Error::other(fault),
        });
        let placed = made.and_then(|()| match std::fs::hard_link(&beside, &self.0) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        });
        std::fs::remove_file(&beside)?;
        placed?;
        let folder = self.0.parent().filter(|folder| *folder != Path::new(""));
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Medium for FileMedium {
    type Backend = FileBackend;

    fn open(&self) -> io::Result<FileBackend> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let file = match options.open(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.make()?;
                options.open(&self.0)?
            }
            opened => opened?,
        };
        FileBackend::new(file).map_err(io::Error::other)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}
