//! For the build scripts of boards: what tells one build of the firmware from others.

use std::env;
use std::path::Path;
use std::process::Command;

/// What goes into a firmware, seen from a board's folder.
const SOURCES: [&str; 6] = [
    "src",
    "Cargo.toml",
    "../mps",
    "../build_identity.rs",
    "../../app",
    "../../../runtime",
];

/// Gives the compiler `MICROTOME_FIRMWARE`: the version, and the commit that is built where Git
/// tells it, as in `0.1.0 (0123456789ab)`; `0.1.0 (0123456789ab-dirty)` where the firmware's
/// sources are not those of the commit.
///
/// It is found anew when another commit is checked out, and when the firmware's sources change.
pub fn emit() {
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let changed = git(&[&["status", "--porcelain", "--"], &SOURCES[..]].concat());
    let identity = match (
        git(&["rev-parse", "--short=12", "HEAD"]),
        changed.as_deref(),
    ) {
        (Some(commit), Some("")) => format!("{version} ({commit})"),
        (Some(commit), _) => format!("{version} ({commit}-dirty)"),
        (None, _) => version,
    };
    println!("cargo::rustc-env=MICROTOME_FIRMWARE={identity}");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    // The log of HEAD grows with every commit, also where HEAD goes on naming the same branch.
    for file in ["logs/HEAD", "HEAD"] {
        let path = git(&["rev-parse", "--git-path", file]);
        if let Some(path) = path.filter(|path| Path::new(path).is_file()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
