//! What host and board say about updates of the board's plan.
//!
//! An update is a package (`microtome-update`) that the host brings into the slot of the board's
//! flash that is not in use:
//!
//! 1. [`Update::Begin`] with the package's header → [`Updated::Written`]: how much of the package the
//!    slot has already, so that a transfer that broke off goes on;
//! 2. [`Update::Piece`] for the rest, in order → [`Updated::Written`] after the last;
//! 3. [`Update::Trial`] → [`Updated::Tried`]: the board has run the package against its golden
//!    vectors;
//! 4. [`Update::Activate`] → [`Updated::State`]: the board runs the new plan, and says so in
//!    [`ToHost::Hello`](crate::ToHost::Hello) from here on;
//! 5. [`Update::Confirm`] → [`Updated::State`]: the new plan stays. A board that starts anew before
//!    that goes back to the plan that it had.
//!
//! Whatever is not done is [`Refusal::Update`](crate::message::Refusal::Update) with the reason, or
//! [`Refusal::Busy`](crate::message::Refusal::Busy) while the board acquires; after a refusal of a
//! piece, those that follow are ignored until the next `Begin`. An update outlives sessions; a new
//! start of the board asks for `Begin` and `Trial` again, and the slot keeps what was written.

use crate::message::{PIECE_LEN_MAX, Piece, PlanFault};
use serde::{Deserialize, Serialize};

/// Every piece of a package but the last has so many bytes, and begins at a multiple of them: no
/// flash programs larger units.
pub const UPDATE_PIECE_LEN: usize = PIECE_LEN_MAX;

/// A step of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Update<'a> {
    /// Asks for [`Updated::State`].
    State,
    /// Opens the slot that is not in use for a package, and erases it unless it has the beginning
    /// of this package.
    Begin {
        /// The package's header: its first `microtome_update::HEADER_LEN` bytes.
        header: &'a [u8],
        /// Whether the release may be lower than the last one that was confirmed.
        allow_downgrade: bool,
    },
    /// A piece of the package: [`UPDATE_PIECE_LEN`] bytes, or its last ones.
    Piece(#[serde(borrow)] Piece<'a>),
    /// Checks the whole package and runs it against its golden vectors.
    Trial,
    /// Makes a package that has passed its trial the plan that the board runs, for now.
    Activate,
    /// Makes the plan that was last activated stay.
    Confirm,
    /// Gives up what is under way: an open slot is closed, and its package will not be continued;
    /// a plan that is not confirmed is left for the one before it.
    Abort,
    /// Sets the key whose signature packages must have from now on.
    Trust {
        /// The public key; all zero takes the key away.
        key: [u8; 32],
        /// 64 bytes: the signature of the key that is set until now over
        /// `microtome_update::signature::message::trust`; empty where none is set.
        signature: &'a [u8],
    },
}

/// What has become of a step of an update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Updated {
    /// How the board stands.
    State(UpdateState),
    /// The slot has so many bytes of the package, from its begin on; the next piece is the one
    /// there.
    Written {
        /// A multiple of [`UPDATE_PIECE_LEN`], or the package's length.
        bytes: u32,
    },
    /// The package has passed its trial and can be activated.
    Tried {
        /// Golden vectors that it has.
        vectors: u32,
        /// Ticks of the board's clock of all runs together.
        ticks: u64,
    },
}

/// How a board that can be updated stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateState {
    /// Where the plan is that it runs.
    pub source: PlanSource,
    /// Release of that plan; 0 for [`PlanSource::Factory`].
    pub release: u64,
    /// Whether it stays: a start of the board before [`Update::Confirm`] goes back otherwise.
    pub is_confirmed: bool,
    /// The release that was confirmed last; a lower one is a downgrade.
    pub release_confirmed: u64,
    /// The public key that packages must be signed with; unsigned ones are taken without.
    pub key: Option<[u8; 32]>,
    /// Bytes of a slot: the longest package.
    pub slot_bytes: u32,
    /// Why the board does not run the plan that was activated last.
    pub rolled_back: Option<RolledBack>,
}

/// Where a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlanSource {
    /// Where flashing puts it.
    Factory,
    /// The first slot for updates.
    A,
    /// The second.
    B,
}

/// Why a board has gone back to an earlier plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RolledBack {
    /// It started anew before this release was confirmed.
    Unconfirmed {
        /// The release.
        release: u64,
    },
    /// This release is not, or no more, a package that this firmware can run; the log says why.
    Unusable {
        /// The release.
        release: u64,
    },
    /// The host gave this release up before it was confirmed.
    Aborted {
        /// The release.
        release: u64,
    },
    /// The record of what is active can not be read. The board runs the factory plan and takes no
    /// update: without the record it does not know its key.
    RecordLost,
}

/// Why a board does not do a step of an update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum UpdateRefusal {
    /// It has no flash for updates.
    #[error("the board has no flash for updates")]
    NoFlash,
    /// Its record can not be read or written: see [`RolledBack::RecordLost`].
    #[error("the board's record of its updates can not be read or written: flash the board anew")]
    Record,
    /// Its flash failed to erase or to program a slot.
    #[error("the board's flash failed to erase or to program")]
    Flash,
    /// The package is not valid, for this reason.
    #[error("{0}")]
    Package(PlanFault),
    /// The plan does not fit the board, for this reason.
    #[error("the plan does not fit the board: {0}")]
    Plan(PlanFault),
    /// The package is longer than a slot.
    #[error("the package has {bytes} bytes, the board has room for {room}")]
    TooLong {
        /// Bytes of the package.
        bytes: u32,
        /// Bytes of a slot.
        room: u32,
    },
    /// The package is unsigned, and a key is set.
    #[error("the package is unsigned, and the board has a key: sign it")]
    Unsigned,
    /// It is signed by another key than the one that is set.
    #[error("the package is signed by another key than the board's")]
    OtherKey,
    /// A signature does not hold, or a key is none.
    #[error("the signature does not hold, or the key is none")]
    Signature,
    /// The release is lower than the one that was confirmed last.
    #[error("the board had release {from}, this is {to}: a downgrade must be asked for")]
    Downgrade {
        /// The release that was confirmed last.
        from: u64,
        /// The release of the package.
        to: u64,
    },
    /// A piece is not the next one: one came twice, or is missing, or has another length.
    #[error("a piece of the package is not the next one, which begins at byte {expected}")]
    Piece {
        /// Where the next piece begins.
        expected: u32,
    },
    /// The package in the slot is not complete.
    #[error("the package is not complete: the board has {bytes} bytes")]
    Incomplete {
        /// Bytes that the slot has.
        bytes: u32,
    },
    /// The outputs for a golden vector are others than the package states.
    #[error("the board's outputs for golden vector {index} are not the package's")]
    Golden {
        /// Index of the vector, from 0.
        index: u32,
    },
    /// No package has passed its trial since it was written.
    #[error("no package has passed its trial since it was written")]
    NotTried,
    /// There is no plan to be confirmed.
    #[error("there is no plan to be confirmed")]
    NothingToConfirm,
    /// The plan that runs is not confirmed: confirm or abort it first.
    #[error("the plan that runs is not confirmed: confirm or abort it first")]
    Unconfirmed,
    /// There are results that the host has not said to be stored; they belong to the old plan.
    #[error("the board holds {results} results that are not stored")]
    Held {
        /// Their number.
        results: u32,
    },
}
