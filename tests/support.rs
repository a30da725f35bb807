//! What the tests share: where things are, how the command is run, and how a test says that it
//! can not run.

#![allow(dead_code, reason = "every test uses a part")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The root of the checkout.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("host/cli lies in the checkout")
}

/// The reference data, by `MICROTOME_DATA` or beside the checkout. `None` when there is none,
/// after saying that `test` is skipped.
pub fn data(test: &str) -> Option<PathBuf> {
    let beside = || root().join("../shared/data");
    let path = std::env::var_os("MICROTOME_DATA").map_or_else(beside, PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    skip(
        test,
        &format!(
            "no reference data at {}; set MICROTOME_DATA",
            path.display()
        ),
    );
    None
}

/// Says that `test` is skipped, and why: past the harness, which hides what passing tests print.
pub fn skip(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// Whether QEMU for Arm is installed; if not, says that `test` is skipped.
pub fn has_qemu(test: &str) -> bool {
    let found = Command::new("qemu-system-arm")
        .arg("--version")
        .output()
        .is_ok();
    if !found {
        skip(test, "qemu-system-arm is not installed");
    }
    found
}

/// Runs `microtome` with `args` from the root of the checkout.
pub fn microtome<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_microtome"))
        .args(args)
        .current_dir(root())
        .output();
    Ran(output.expect("the command starts"))
}

/// What a run of the command gave.
pub struct Ran(Output);

impl Ran {
    /// Its exit status; `None` when a signal ended it.
    pub fn status(&self) -> Option<i32> {
        self.0.status.code()
    }

    /// What it wrote to stderr.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// The one JSON object that it printed; it must have succeeded.
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.status(), Some(0), "{}", self.stderr());
        serde_json::from_slice(&self.0.stdout).expect("one JSON object on stdout")
    }

    /// The one line of its error; it must have failed as a failure of the work, not of usage.
    pub fn error(&self) -> String {
        assert_eq!(self.status(), Some(1), "{}", self.stderr());
        let stderr = self.stderr();
        let lines: Vec<&str> = stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        assert_eq!(lines.len(), 1, "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        lines[0].to_owned()
    }
}
