//! What the host asks of updates, out of the link's buffer.

use heapless::Vec;
use microtome_link::update::{UPDATE_PIECE_LEN, Update};
use microtome_update::{Header, Key, PackageError, Signature};

/// [`Update`], without borrowed data.
#[allow(
    clippy::large_enum_variant,
    reason = "there is no allocator to box with"
)]
pub(crate) enum Step {
    State,
    Begin {
        header: Result<Header, PackageError>,
        allow_downgrade: bool,
    },
    Piece {
        at: usize,
        /// Empty where it is too long.
        data: Vec<u8, UPDATE_PIECE_LEN>,
    },
    Trial,
    Activate,
    Confirm,
    Abort,
    Trust {
        key: Key,
        signature: Option<Signature>,
    },
}

impl From<Update<'_>> for Step {
    fn from(update: Update<'_>) -> Self {
        match update {
            Update::State => Self::State,
            Update::Begin {
                header,
                allow_downgrade,
            } => Self::Begin {
                header: Header::parse(header),
                allow_downgrade,
            },
            Update::Piece(piece) => Self::Piece {
                at: piece.offset as usize,
                data: Vec::from_slice(piece.data).unwrap_or_default(),
            },
            Update::Trial => Self::Trial,
            Update::Activate => Self::Activate,
            Update::Confirm => Self::Confirm,
            Update::Abort => Self::Abort,
            Update::Trust { key, signature } => Self::Trust {
                key,
                signature: signature.try_into().ok(),
            },
        }
    }
}
