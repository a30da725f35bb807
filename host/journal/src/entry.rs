//! A result on its way into the journal, with the identity by which a repetition is known.
//!
//! A board numbers its results from 0 when it starts and sends them in that order, again after a
//! break those that nobody has acknowledged. So it is enough to know, for each start of a board,
//! the last number that is recorded: what is not beyond it is there already.

use crate::error::JournalError;
use crate::frame::Frame;
use crate::record::{Record, Sealed};

/// A result to be recorded.
#[derive(Debug)]
pub struct Entry {
    /// The start of the board; no two starts of any boards share it.
    pub boot: u64,
    /// Number of the result among those of that start.
    pub sequence: u64,
    pub(crate) provenance: Sealed,
    /// What is stored and hashed.
    pub(crate) bytes: Vec<u8>,
    /// The frame that is kept with it.
    pub(crate) frame: Option<Frame>,
}

impl Entry {
    /// The entry of `record`, whose provenance is `provenance`.
    ///
    /// # Errors
    /// When it can not be encoded.
    pub fn new(
        boot: u64,
        sequence: u64,
        provenance: &Sealed,
        record: &Record,
    ) -> Result<Self, JournalError> {
        Ok(Self {
            boot,
            sequence,
            provenance: provenance.clone(),
            bytes: serde_json::to_vec(record).map_err(JournalError::encode)?,
            frame: None,
        })
    }

    /// The same with the frame that its record names as `kept_frame`: both are stored together.
    pub fn with_frame(self, frame: Option<Frame>) -> Self {
        Self { frame, ..self }
    }

    /// Bytes that are stored.
    pub(crate) fn len(&self) -> usize {
        let frame = self.frame.as_ref();
        self.bytes.len() + frame.map_or(0, |frame| frame.stored.len())
    }
}

/// What became of an entry. Either way its result is in the journal once, and durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was recorded now.
    Recorded {
        /// Its place in the journal.
        index: u64,
        /// Results of the same start before it that the journal never got.
        missing: u64,
    },
    /// It had been recorded before.
    Known,
}
