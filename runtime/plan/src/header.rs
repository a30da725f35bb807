//! The first 64 bytes of a plan: what it is, how long its sections are, and its digest.
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | magic `MTPL` |
//! | 4..6 | format version, little-endian like every number |
//! | 6..8 | zero |
//! | 8..12 | length of the metadata section (postcard: manifest, then steps) |
//! | 12..16 | length of the constants section |
//! | 16..32 | zero |
//! | 32..64 | SHA-256 of bytes 0..32 and of both sections |
//!
//! The metadata follows at byte 64 and is padded with zeros to a multiple of 16, at which the
//! constants begin. The digest is at once the checksum and the plan's identity (its hash).

use crate::error::PlanError;
use sha2::{Digest as _, Sha256};

/// Identity of a plan: the SHA-256 in its header.
pub type Digest = [u8; 32];

/// Alignment of the sections, and that which a plan's first byte must have in memory.
pub const SECTION_ALIGN: usize = 16;

const MAGIC: [u8; 4] = *b"MTPL";
const VERSION: u16 = 3;
/// Length of the header in bytes.
pub const HEADER_LEN: usize = 64;
const DIGEST_AT: usize = 32;
/// No section is longer, so that no sum of lengths overflows 32 bits.
const SECTION_LEN_MAX: usize = 1 << 30;

/// The header's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of metadata, without padding.
    pub metadata_len: usize,
    /// Bytes of constants.
    pub constants_len: usize,
    /// The digest that the header states.
    pub digest: Digest,
}

impl Header {
    /// Reads the header of `bytes` and checks everything but the digest.
    ///
    /// # Errors
    /// When the bytes are no plan, of another version, or fewer than the header says.
    pub fn parse(bytes: &[u8]) -> Result<Self, PlanError> {
        if bytes.len() < MAGIC.len() || bytes[..MAGIC.len()] != MAGIC {
            return Err(PlanError::NotAPlan);
        }
        let truncated = |need| PlanError::Truncated {
            need,
            have: bytes.len(),
        };
        let fixed = bytes
            .first_chunk::<HEADER_LEN>()
            .ok_or(truncated(HEADER_LEN))?;
        let version = u16::from_le_bytes([fixed[4], fixed[5]]);
        if version != VERSION {
            return Err(PlanError::Version {
                found: version,
                supported: VERSION,
            });
        }
        let word = |at: usize| {
            u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]) as usize
        };
        let mut digest = [0; 32];
        digest.copy_from_slice(&fixed[DIGEST_AT..]);
        let header = Self {
            metadata_len: word(8),
            constants_len: word(12),
            digest,
        };
        if header.metadata_len > SECTION_LEN_MAX || header.constants_len > SECTION_LEN_MAX {
            return Err(PlanError::NotAPlan);
        }
        if bytes.len() < header.total_len() {
            return Err(truncated(header.total_len()));
        }
        Ok(header)
    }

    /// Where the constants begin.
    pub const fn constants_at(&self) -> usize {
        (HEADER_LEN + self.metadata_len).next_multiple_of(SECTION_ALIGN)
    }

    /// Bytes of the whole plan.
    pub const fn total_len(&self) -> usize {
        self.constants_at() + self.constants_len
    }
}

/// The digest that the header of the plan in `bytes` must state.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(&bytes[..DIGEST_AT]);
    hash.update(&bytes[HEADER_LEN..]);
    hash.finalize().into()
}

/// Writes the header for the sections that already lie in `bytes`.
#[cfg(feature = "alloc")]
pub(crate) fn write(bytes: &mut [u8], metadata_len: u32, constants_len: u32) {
    bytes[..HEADER_LEN].fill(0);
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
    bytes[8..12].copy_from_slice(&metadata_len.to_le_bytes());
    bytes[12..16].copy_from_slice(&constants_len.to_le_bytes());
    let digest = digest(bytes);
    bytes[DIGEST_AT..HEADER_LEN].copy_from_slice(&digest);
}
