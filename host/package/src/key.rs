//! The owner's keys: Ed25519, in the files that OpenSSL writes and reads.
//!
//! A private key is PKCS#8 PEM, a public one SubjectPublicKeyInfo PEM. Files are made for their owner
//! alone (mode 0600) and never overwritten.

use ed25519_dalek::pkcs8::spki::{
    DecodePublicKey as _, EncodePublicKey as _, der::pem::LineEnding,
};
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use microtome_update::{Key, Signature};
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A private key: whoever has it says what boards that trust it run.
#[derive(Debug)]
pub struct OwnerKey(SigningKey);

/// A public key, as boards are told to trust it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub Key);

/// Why a key can not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is such a file, and keys are not overwritten.
    #[error("{}: there is such a file, and a key is never overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file can not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is none of a private key.
    #[error(
        "{}: no Ed25519 private key in PKCS#8 PEM ({cause}): `microtome keygen` makes one",
        path.display()
    )]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The file is none of a public key.
    #[error(
        "{}: no Ed25519 public key in PEM ({cause}): `microtome keygen` makes one, with .pub",
        path.display()
    )]
    NotPublic {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for a key: {cause}")]
    Random {
        /// What the system said.
        cause: String,
    },
}

impl OwnerKey {
    /// A new key, of the system's random numbers.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn generate() -> Result<Self, KeyError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| KeyError::Random {
            cause: error.to_string(),
        })?;
        Ok(Self(SigningKey::from_bytes(&secret)))
    }

    /// Reads the key in the file at `path`.
    ///
    /// # Errors
    /// When the file can not be read, or holds no private key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let key = SigningKey::from_pkcs8_pem(&read(path)?);
        key.map(Self).map_err(|error| KeyError::NotPrivate {
            path: path.to_owned(),
            cause: error.to_string(),
        })
    }

    /// Writes the key to a new file at `path`.
    ///
    /// # Errors
    /// When there is such a file, or it can not be written.
    pub fn create(&self, path: &Path) -> Result<(), KeyError> {
        let private = KeypairBytes {
            secret_key: self.0.to_bytes(),
            // OpenSSL reads no private key that has its public one beside it.
            public_key: None,
        };
        let pem = private.to_pkcs8_pem(LineEnding::LF);
        let pem = pem.map_err(|error| KeyError::Write {
            path: path.to_owned(),
            source: io::Error::other(error.to_string()),
        })?;
        create(path, pem.as_bytes())
    }

    /// Its public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Its signature over `message`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message).to_bytes()
    }
}

impl PublicKey {
    /// Reads the key in the file at `path`.
    ///
    /// # Errors
    /// When the file can not be read, or holds no public key that counts.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let pem = read(path)?;
        let not_public = |cause: &dyn fmt::Display| KeyError::NotPublic {
            path: path.to_owned(),
            cause: cause.to_string(),
        };
        let key = VerifyingKey::from_public_key_pem(&pem).map_err(|error| not_public(&error))?;
        if key.is_weak() {
            return Err(not_public(&"anyone can sign for it"));
        }
        Ok(Self(key.to_bytes()))
    }

    /// Writes the key to a new file at `path`.
    ///
    /// # Errors
    /// When there is such a file, or it can not be written.
    pub fn create(&self, path: &Path) -> Result<(), KeyError> {
        let pem = VerifyingKey::from_bytes(&self.0)
            .map_err(|error| error.to_string())
            .and_then(|key| {
                key.to_public_key_pem(LineEnding::LF)
                    .map_err(|error| error.to_string())
            });
        let pem = pem.map_err(|cause| KeyError::NotPublic {
            path: path.to_owned(),
            cause,
        })?;
        create(path, pem.as_bytes())
    }
}

/// In hexadecimal.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn read(path: &Path) -> Result<String, KeyError> {
    std::fs::read_to_string(path).map_err(|source| KeyError::Read {
        path: path.to_owned(),
        source,
    })
}

fn create(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|source| {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Exists { path },
            _ => KeyError::Write { path, source },
        }
    })
}
