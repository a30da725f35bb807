//! Tokens: who may do what.
//!
//! A token is `mt_` and 64 hexadecimal digits of 32 random bytes. The file has its SHA-256 alone,
//! so that whoever reads the file can not use the API; since a token can not be guessed, the hash
//! needs no salt and no work factor.
//!
//! ```toml
//! [[token]]
//! name = "microscope-room"      # as the log names its owner
//! sha256 = "9f86…"
//! scopes = ["read", "run"]
//! ```

use microtome_journal::Hash;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use subtle::ConstantTimeEq as _;
use utoipa::ToSchema;

/// How every token begins.
const PREFIX: &str = "mt_";
/// Longest name of a token.
const NAME_LEN_MAX: usize = 64;
/// Longest file that is read.
const FILE_LEN_MAX: u64 = 1 << 20;

/// What a token permits. None includes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// To see devices, results and metrics.
    Read,
    /// To run plans on the host, and to switch acquisition and offload.
    Run,
    /// To change what a board runs.
    Update,
}

impl Scope {
    /// As the file and the command have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Run => "run",
            Self::Update => "update",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope is read, run or update")]
pub struct NotAScope;

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        [Self::Read, Self::Run, Self::Update]
            .into_iter()
            .find(|scope| scope.name() == text)
            .ok_or(NotAScope)
    }
}

/// What is wrong with tokens or their file.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file can not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: {cause}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        cause: String,
    },
    /// The name can not be given.
    #[error("a token's name has 1 to {NAME_LEN_MAX} letters, digits, `.`, `_` or `-`: {0:?}")]
    Name(String),
    /// The system has no random numbers.
    #[error("no random number can be had: {0}")]
    Random(getrandom::Error),
}

/// A token as the file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    pub name: String,
    sha256: Hash,
    pub scopes: Vec<Scope>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    token: Vec<Token>,
}

/// The tokens of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens(Vec<Token>);

impl Tokens {
    /// Reads a file, which others than its owner and group must not be able to write.
    pub fn load(path: &Path) -> Result<Self, TokenError> {
        let file_error = |source| TokenError::File {
            path: path.to_owned(),
            source,
        };
        let metadata = fs::metadata(path).map_err(file_error)?;
        let wrong = |cause: String| TokenError::Content {
            path: path.to_owned(),
            cause,
        };
        if metadata.permissions().mode() & 0o002 != 0 {
            let cause = "everyone may write to it: chmod o-w it, and see who has";
            return Err(wrong(cause.to_owned()));
        }
        if metadata.len() > FILE_LEN_MAX {
            return Err(wrong("it is too long to be a file of tokens".to_owned()));
        }
        let text = fs::read_to_string(path).map_err(file_error)?;
        let tokens = toml::from_str::<File>(&text)
            .map_err(|error| wrong(error.message().replace('\n', " ")))?
            .token;
        for (at, token) in tokens.iter().enumerate() {
            check_name(&token.name)?;
            if tokens[..at].iter().any(|other| other.name == token.name) {
                return Err(wrong(format!("two tokens have the name {:?}", token.name)));
            }
        }
        Ok(Self(tokens))
    }

    /// The token whose text is `presented`. How long it takes does not tell which it is like.
    pub fn find(&self, presented: &str) -> Option<&Token> {
        let hash = Hash::of(presented.as_bytes());
        let mut found = None;
        for token in &self.0 {
            if bool::from(token.sha256.0.ct_eq(&hash.0)) {
                found = Some(token);
            }
        }
        found
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn check_name(name: &str) -> Result<(), TokenError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(TokenError::Name(name.to_owned()))
}

/// Makes a token, adds its hash to the file at `path`, which is made if need be, and gives the
/// token, which nobody can tell from the file.
///
/// # Errors
/// When the file is not one of tokens, has the name already, or can not be written.
pub fn add(path: &Path, name: &str, scopes: &[Scope]) -> Result<String, TokenError> {
    check_name(name)?;
    let file_error = |source| TokenError::File {
        path: path.to_owned(),
        source,
    };
    if path.try_exists().map_err(file_error)? {
        let known = Tokens::load(path)?;
        if known.0.iter().any(|token| token.name == name) {
            let cause = format!("it has a token with the name {name:?}; remove that first");
            let path = path.to_owned();
            return Err(TokenError::Content { path, cause });
        }
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(TokenError::Random)?;
    let token = format!("{PREFIX}{}", Hash(random));
    let scopes: Vec<String> = scopes.iter().map(|scope| format!("\"{scope}\"")).collect();
    let mut entry = String::new();
    // Writing to a string does not fail.
    let _ = write!(
        entry,
        "\n[[token]]\nname = \"{name}\"\nsha256 = \"{}\"\nscopes = [{}]\n",
        Hash::of(token.as_bytes()),
        scopes.join(", ")
    );
    let mut options = OpenOptions::new();
    let options = options.append(true).create(true).mode(0o640);
    let mut file = options.open(path).map_err(file_error)?;
    file.write_all(entry.as_bytes()).map_err(file_error)?;
    file.sync_all().map_err(file_error)?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::{Scope, Tokens, add};
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_token_is_found_by_its_text_and_not_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let first = add(&path, "first", &[Scope::Read, Scope::Run]).unwrap();
        let second = add(&path, "second", &[Scope::Update]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&first[3..]) && !text.contains(&second[3..]));
        let tokens = Tokens::load(&path).unwrap();
        let found = tokens.find(&first).unwrap();
        assert_eq!(found.name, "first");
        assert_eq!(found.scopes, [Scope::Read, Scope::Run]);
        assert_eq!(tokens.find(&second).unwrap().scopes, [Scope::Update]);
        assert!(tokens.find(&first[..first.len() - 1]).is_none());
        assert!(tokens.find("").is_none());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let error = add(&path, "a\"b", &[]).unwrap_err().to_string();
        assert!(error.contains("letters"), "{error}");
        add(&path, "a", &[]).unwrap();
        let error = add(&path, "a", &[]).unwrap_err().to_string();
        assert!(error.contains("remove that first"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o646)).unwrap();
        let error = Tokens::load(&path).unwrap_err().to_string();
        assert!(error.contains("chmod o-w"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(
            &path,
            "[[token]]\nname = 'a'\nsha256 = 'secret'\nscopes = []",
        )
        .unwrap();
        let error = Tokens::load(&path).unwrap_err().to_string();
        assert!(error.contains("64 hexadecimal digits"), "{error}");
    }
}
