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

/// The boards that QEMU emulates here; says that `test` is skipped on those that it does not.
pub fn emulated(test: &str) -> Vec<String> {
    let help = Command::new("qemu-system-arm")
        .args(["-machine", "help"])
        .output();
    let help = help.map_or_else(|_| String::new(), |help| lossy(&help.stdout));
    let machines: Vec<&str> = help
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let boards = microtome_board::boards().iter();
    let boards = boards.filter(|board| {
        let launch = board.launch.as_ref();
        launch.is_some_and(|launch| launch.kind == microtome_board::LaunchKind::Qemu)
    });
    let (has, has_not): (Vec<_>, Vec<_>) = boards
        .map(|board| board.name.clone())
        .partition(|name| machines.contains(&name.as_str()));
    for name in has_not {
        skip(
            &format!("{test} on {name}"),
            "qemu-system-arm is not installed, or is too old",
        );
    }
    has
}

/// Runs `microtome` with `args` from the root of the checkout.
pub fn microtome<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_microtome"))
        .args(args)
        .current_dir(root())
        .output();
    Ran(output.expect("the command starts"))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
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
        lossy(&self.0.stderr)
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

/// A NumPy file with these bytes as its elements.
pub fn npy(dtype: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    let mut head = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + head.len() + 1) % 64 != 0 {
        head.push(' ');
    }
    head.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((head.len() as u16).to_le_bytes());
    bytes.extend(head.as_bytes());
    bytes.extend(elements);
    bytes
}
