//! Keys, signatures, and what is signed.
//!
//! Signatures are Ed25519 (RFC 8032); keys of small order, for which anyone can sign, are none. Each
//! kind of statement begins with words of its own, so that a signature for one can not be used for
//! another.

use ed25519_compact::PublicKey;

/// A public key.
pub type Key = [u8; 32];

/// A signature.
pub type Signature = [u8; 64];

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is none, and a key is set.
    #[error("the package is unsigned, and the board has a key: sign it")]
    Unsigned,
    /// It is another key's than the one that is set.
    #[error("the package is signed by another key than the board's")]
    OtherKey,
    /// It is not this key's signature over this content, or the key is none.
    #[error("the signature does not hold: the content or the signature was changed")]
    Invalid,
}

/// The bytes that are signed.
pub mod message {
    use super::Key;
    use microtome_plan::Digest;

    const UPDATE: &[u8; 18] = b"microtome update 1";
    const TRUST: &[u8; 17] = b"microtome trust 1";

    /// That the package with this digest may be run.
    pub fn update(digest: &Digest) -> [u8; 50] {
        joined([UPDATE, digest])
    }

    /// That the board is to trust `new` where it trusted `old`; `new` all zero is no key.
    pub fn trust(old: &Key, new: &Key) -> [u8; 81] {
        joined([TRUST, old, new])
    }

    /// The parts one after another; they are `N` bytes together.
    fn joined<const N: usize, const P: usize>(parts: [&[u8]; P]) -> [u8; N] {
        let mut joined = [0; N];
        let mut at = 0;
        for part in parts {
            joined[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        joined
    }
}

/// Whether `key` has signed `message`.
///
/// # Errors
/// [`SignatureError::Invalid`] where it has not, and where it is no key.
pub fn verify(key: &Key, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
    PublicKey::new(*key)
        .verify(message, &ed25519_compact::Signature::new(*signature))
        .map_err(|_| SignatureError::Invalid)
}

/// Whether `key` can have signed anything that counts: it is a point of the curve, and not one of
/// the few for which anyone can sign.
pub fn is_key(key: &Key) -> bool {
    PublicKey::new(*key).validate().is_ok()
}
