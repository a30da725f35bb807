//! Which build of this program runs.

use microtome_journal::Hash;
use std::sync::OnceLock;

/// The version, and the hash of the program's file, by which the build can be told from any other.
pub fn build() -> &'static str {
    static BUILD: OnceLock<String> = OnceLock::new();
    BUILD.get_or_init(|| {
        let version = env!("CARGO_PKG_VERSION");
        let program = std::env::current_exe().and_then(std::fs::File::open);
        match program.and_then(Hash::of_all) {
            Ok(hash) => format!("{version} (sha256 {hash})"),
            Err(error) => {
                tracing::warn!("the hash of this program is not known: {error}");
                version.to_owned()
            }
        }
    })
}
