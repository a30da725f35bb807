//! What the tests share: where things are, and how a test says that it can not run.

use std::path::{Path, PathBuf};

/// The root of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the checkout")
}

/// The reference data, by `MICROTOME_DATA` or beside the checkout. `None` when there is none,
/// after saying that `test` is skipped.
pub fn data(test: &str) -> Option<PathBuf> {
    let beside = || root().join("../shared/data");
    let path = std::env::var_os("MICROTOME_DATA").map_or_else(beside, PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    skip(test, &format!("no reference data at {}; set MICROTOME_DATA", path.display()));
    None
}

/// Says that `test` is skipped, and why.
pub fn skip(test: &str, why: &str) {
    eprintln!("skipped: {test}: {why}");
}
