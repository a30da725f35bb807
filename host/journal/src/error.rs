//! What goes wrong with a journal.

use std::path::PathBuf;

/// Why a journal can not be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The journal can not be opened, read or written.
    #[error("journal {}: {fault}", path.display())]
    Store {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        fault: Fault,
    },
    /// A record can not be encoded.
    #[error("a record can not be encoded: {0}")]
    Encode(serde_json::Error),
    /// There is no thread for the writer.
    #[error("the journal's writer can not be started: {0}")]
    Thread(std::io::Error),
}

impl JournalError {
    pub(crate) fn encode(error: serde_json::Error) -> Self {
        Self::Encode(error)
    }
}

/// What is wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The medium failed: no such folder, no permission, no space.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Another daemon writes to it.
    #[error("another process writes to it; each daemon needs a journal of its own")]
    InUse,
    /// The database failed.
    #[error("{0}")]
    Database(Box<redb::Error>),
    /// It is a database, but no journal of this version.
    #[error("it is not a journal of this version: {0}")]
    Foreign(&'static str),
}

macro_rules! from_redb {
    ($($error:ident)*) => {
        $(impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                redb::Error::from(error).into()
            }
        })*
    };
}

from_redb! { DatabaseError TransactionError TableError StorageError CommitError }

impl From<redb::Error> for Fault {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => Self::Io(error),
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            error => Self::Database(Box::new(error)),
        }
    }
}
