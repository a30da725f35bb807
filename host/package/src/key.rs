//! The owner's keys: Ed25519, in the files that OpenSSL writes and reads.
//!
//! A private key is PKCS#8 PEM, a public one SubjectPublicKeyInfo PEM. Files are made for their owner
//! alone (mode 0600) and never overwritten.

use ed25519_compact::{KeyPair, Seed};
use microtome_update::{Key, Signature, signature};
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A private key: whoever has it says what boards that trust it run.
pub struct OwnerKey(KeyPair);

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
        let mut seed = Seed::new([0; Seed::BYTES]);
        let random = |cause: String| KeyError::Random { cause };
        getrandom::fill(&mut *seed).map_err(|error| random(error.to_string()))?;
        let pair = KeyPair::try_from_seed(seed).map_err(|error| random(error.to_string()))?;
        Ok(Self(pair))
    }

    /// Reads the key in the file at `path`.
    ///
    /// # Errors
    /// When the file can not be read, or holds no private key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let key = KeyPair::from_pem(&read(path)?);
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
        create(path, self.0.sk.to_pem().as_bytes())
    }

    /// Its public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(*self.0.pk)
    }

    /// Its signature over `message`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        *self.0.sk.sign(message, None)
    }
}

impl PublicKey {
    /// Reads the key in the file at `path`.
    ///
    /// # Errors
    /// When the file can not be read, or holds no public key that counts.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let pem = read(path)?;
        let not_public = |cause: &str| KeyError::NotPublic {
            path: path.to_owned(),
            cause: cause.to_owned(),
        };
        let key = ed25519_compact::PublicKey::from_pem(&pem);
        let key = key.map_err(|error| not_public(&error.to_string()))?;
        if !signature::is_key(&key) {
            return Err(not_public("anyone can sign for it"));
        }
        Ok(Self(*key))
    }

    /// Writes the key to a new file at `path`.
    ///
    /// # Errors
    /// When there is such a file, or it can not be written.
    pub fn create(&self, path: &Path) -> Result<(), KeyError> {
        let pem = ed25519_compact::PublicKey::new(self.0).to_pem();
        create(path, pem.as_bytes())
    }
}

/// The public key alone.
impl fmt::Debug for OwnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnerKey of {}", self.public())
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
