//! The first 192 bytes of a package: what it is, how long its parts are, and who vouches for it.
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | magic `MTUP` |
//! | 4..6 | format version, little-endian like every number |
//! | 6..8 | zero |
//! | 8..16 | release: the owner's number, higher is newer |
//! | 16..20 | length of the plan |
//! | 20..24 | number of golden vectors, at least 1 |
//! | 24..28 | length of a vector's input: the plan's inputs one after another |
//! | 28..32 | zero |
//! | 32..64 | digest of the plan, as the plan's own header states it |
//! | 64..96 | SHA-256 of bytes 0..64 and of all golden vectors |
//! | 96..128 | public key of the signature; zero where there is none |
//! | 128..192 | ed25519 signature over the digest; zero where there is none |
//!
//! The plan follows at byte 192 and is padded with zeros to a multiple of 16; then come the golden
//! vectors, each its input and the SHA-256 of its outputs one after another. The header alone says
//! whether a package would be taken, so that a board can refuse it before it erases anything.

use crate::package::PackageError;
use crate::signature::{Key, Signature, SignatureError, message};
use microtome_plan::Digest;
use microtome_plan::header::SECTION_ALIGN;

/// Length of the header in bytes. The plan begins behind it, aligned as plans must be.
pub const HEADER_LEN: usize = 192;
/// Bytes of the digest of a vector's outputs.
pub(crate) const OUTPUT_LEN: usize = 32;

pub(crate) const MAGIC: [u8; 4] = *b"MTUP";
pub(crate) const VERSION: u16 = 1;
/// What the digest covers of the header.
pub(crate) const DIGESTED: core::ops::Range<usize> = 0..64;
pub(crate) const DIGEST_AT: usize = 64;
pub(crate) const KEY_AT: usize = 96;
pub(crate) const SIGNATURE_AT: usize = 128;
/// No part is longer, so that no sum of lengths overflows 32 bits.
pub(crate) const PART_LEN_MAX: u64 = 1 << 30;

const _: () = assert!(HEADER_LEN.is_multiple_of(SECTION_ALIGN));

/// The header's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The owner's number of what is in the package; higher is newer.
    pub release: u64,
    /// Bytes of the plan, without padding.
    pub plan_len: usize,
    /// Number of golden vectors.
    pub golden_count: usize,
    /// Bytes of a vector's input.
    pub input_len: usize,
    /// Digest of the plan.
    pub plan: Digest,
    /// Digest of the package, which is its identity.
    pub digest: Digest,
    /// Whose signature it has, and that; `None` where it is unsigned.
    pub signed: Option<(Key, Signature)>,
}

impl Header {
    /// Reads the header at the beginning of `bytes`; what follows it is not looked at.
    ///
    /// # Errors
    /// When the bytes are no package, of another version, or the lengths can not be.
    pub fn parse(bytes: &[u8]) -> Result<Self, PackageError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(PackageError::NotAPackage);
        }
        let fixed = bytes
            .first_chunk::<HEADER_LEN>()
            .ok_or(PackageError::Truncated {
                need: HEADER_LEN,
                have: bytes.len(),
            })?;
        let version = u16::from_le_bytes(array(fixed, 4));
        if version != VERSION {
            return Err(PackageError::Version {
                found: version,
                supported: VERSION,
            });
        }
        let word = |at| u32::from_le_bytes(array(fixed, at));
        let (plan_len, count, input_len) = (word(16), word(20), word(24));
        let golden_len = u64::from(count) * (u64::from(input_len) + OUTPUT_LEN as u64);
        let is_whole = array(fixed, 6) == [0; 2] && word(28) == 0;
        let is_sound = count > 0 && u64::from(plan_len).max(golden_len) <= PART_LEN_MAX;
        if !is_whole || !is_sound {
            return Err(PackageError::Layout);
        }
        let (key, signature): (Key, Signature) = (array(fixed, KEY_AT), array(fixed, SIGNATURE_AT));
        let is_signed = fixed[KEY_AT..].iter().any(|&byte| byte != 0);
        Ok(Self {
            release: u64::from_le_bytes(array(fixed, 8)),
            plan_len: plan_len as usize,
            golden_count: count as usize,
            input_len: input_len as usize,
            plan: array(fixed, 32),
            digest: array(fixed, DIGEST_AT),
            signed: is_signed.then_some((key, signature)),
        })
    }

    /// Where the golden vectors begin.
    pub const fn golden_at(&self) -> usize {
        HEADER_LEN + self.plan_len.next_multiple_of(SECTION_ALIGN)
    }

    /// Bytes of one golden vector.
    pub const fn golden_len(&self) -> usize {
        self.input_len + OUTPUT_LEN
    }

    /// Bytes of the whole package.
    pub const fn total_len(&self) -> usize {
        self.golden_at() + self.golden_count * self.golden_len()
    }

    /// Whether a board that trusts `trusted` may take the package: a signed one has a signature
    /// that holds, and with a trusted key it is that key's.
    ///
    /// The signature is over the digest; only [`Package::parse`](crate::Package::parse) says
    /// whether the digest is that of the content.
    ///
    /// # Errors
    /// [`SignatureError`] says what is wrong.
    pub fn authorize(&self, trusted: Option<&Key>) -> Result<(), SignatureError> {
        match (&self.signed, trusted) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(SignatureError::Unsigned),
            (Some((key, _)), Some(trusted)) if key != trusted => Err(SignatureError::OtherKey),
            (Some((key, signature)), _) => {
                crate::signature::verify(key, &message::update(&self.digest), signature)
            }
        }
    }
}

/// The `N` bytes at `at`, which are there.
fn array<const N: usize>(fixed: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&fixed[at..at + N]);
    bytes
}
