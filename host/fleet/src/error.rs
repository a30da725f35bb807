//! What goes wrong with a fleet.

use microtome_journal::{JournalError, OutboxInUse};
use std::path::PathBuf;

/// Why a daemon does not take part in a fleet. A server that is not there is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The file of credentials can not be read.
    #[error("credentials {}: {source}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// The client does not take what it is configured with.
    #[error("the connection can not be set up: {0}")]
    Connect(String),
    /// The folder for plans can not be made.
    #[error("plans of others can not be kept in {}: {source}", path.display())]
    Cache {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no thread for executors.
    #[error("executors for others can not be started: {0}")]
    Thread(std::io::Error),
    /// Results are passed on there already.
    #[error(transparent)]
    Outbox(#[from] OutboxInUse),
}

/// Why results are not passed on at present.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// There is no connection.
    #[error("the server is not reached")]
    NotConnected,
    /// The server refuses or does not answer.
    #[error("{what}: {cause}")]
    Server {
        /// What was asked.
        what: &'static str,
        /// What it said.
        cause: String,
    },
    /// The stream of that name takes other subjects.
    #[error("the stream {stream} does not take {subject}")]
    ForeignStream {
        /// The stream.
        stream: String,
        /// What it should take.
        subject: String,
    },
    /// Somebody else's results are behind ours.
    #[error(
        "the stream {0} has results of another journal after this one's: two daemons have the \
         same name"
    )]
    TwoDaemons(String),
    /// The stream stored a result elsewhere than behind the one before it.
    #[error("result {index} was stored as message {found}, not {expected}")]
    Misplaced {
        /// Its place in the journal.
        index: u64,
        /// Where it should be in the stream.
        expected: u64,
        /// Where it is.
        found: u64,
    },
    /// The journal can not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}
