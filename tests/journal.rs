//! The journal through the command: audits and exports.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::{microtome, root};
use tempfile::TempDir;

fn text(path: &Path) -> String {
    path.to_str().expect("a path of this test").to_owned()
}

/// A process that does not outlive its test.
struct Running(Child);

impl Running {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_microtome"));
        command.args(args).current_dir(root());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self(command.spawn().expect("the command starts"))
    }

    /// Its first line on stdout.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.0.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).unwrap();
        line
    }

    /// Waits until it says `word` on stderr.
    fn wait_for(&mut self, word: &str) {
        let stderr = self.0.stderr.take().expect("it is taken once");
        let mut lines = BufReader::new(stderr).lines().map(Result::unwrap);
        assert!(
            lines.any(|line| line.contains(word)),
            "it never says {word}"
        );
        // It must not wait for whoever reads what it says.
        std::thread::spawn(move || lines.for_each(drop));
    }

    /// Asks it to end, and waits until it has.
    fn terminate(&mut self) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder with plans, the configuration of a daemon, and the board that it serves.
struct Bench {
    folder: TempDir,
    _board: Running,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let compile = |model: &str| {
            let plan = text(&folder.path().join(format!("{model}.mtp")));
            let model = text(&root().join(format!("models/{model}/{model}.onnx")));
            let compiled = microtome(&["compile", &model, "-o", &plan]);
            assert_eq!(compiled.status(), Some(0));
            plan
        };
        let plan = compile("cells");
        compile("cells-heavy");
        let input = text(&root().join("models/cells/golden.npz"));
        let args = [
            "flash", "--board", "sim", "--plan", &plan, "--input", &input, "--json",
        ];
        let mut board = Running::start(&args);
        let line = board.line();
        let json: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        let path = json["serial"].as_str().unwrap();
        let config = format!(
            "journal = \"results.journal\"\n\
             plans = [\".\"]\n\
             gpu = \"off\"\n\
             [[device]]\n\
             name = \"scope\"\n\
             path = \"{path}\"\n\
             frames.keep = \"asked\"\n\
             [device.calibration]\n\
             name = \"of this test\"\n\
             pixel_size_nm = 325\n"
        );
        std::fs::write(folder.path().join("daemon.toml"), config).unwrap();
        Self {
            folder,
            _board: board,
        }
    }

    fn daemon(&self) -> Running {
        Running::start(&[
            "daemon",
            "--config",
            &text(&self.folder.path().join("daemon.toml")),
        ])
    }

    fn journal(&self) -> String {
        text(&self.folder.path().join("results.journal"))
    }

    /// The lines of an export in JSON.
    fn exported(&self, filters: &[&str]) -> Vec<Value> {
        let output = text(&self.folder.path().join("results.jsonl"));
        let journal = self.journal();
        let args = [
            "export", &journal, "--format", "jsonl", "-o", &output, "--json",
        ];
        let json = microtome(&[&args[..], filters].concat()).json();
        let text = std::fs::read_to_string(output).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(json["records"], lines.len());
        lines
    }
}

#[test]
fn a_journal_is_exported_while_the_daemon_writes_and_audited_after() {
    let bench = Bench::new();
    let mut daemon = bench.daemon();
    daemon.wait_for("connected");
    while !Path::new(&bench.journal()).exists() || bench.exported(&[]).len() < 5 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let lines = bench.exported(&["--device", "scope", "--from", "2020-01-01"]);
    assert!(lines.len() >= 5);
    assert_eq!(
        lines[0]["provenance"]["calibration"]["name"],
        "of this test"
    );
    assert!(bench.exported(&["--device", "another"]).is_empty());
    assert!(
        bench
            .exported(&["--until", "2020-01-01T00:00:00Z"])
            .is_empty()
    );
    daemon.terminate();

    let journal = bench.journal();
    let audit = microtome(&["audit", &journal, "--json"]).json();
    let count = audit["records"].as_u64().unwrap();
    let noted = format!("{}:{}", count - 1, audit["head"].as_str().unwrap());
    let args = ["audit", &journal, "--noted", &noted, "--json"];
    assert!(microtome(&args).json()["break"].is_null());

    for (format, begin) in [
        ("csv", &b"index,host_time_us"[..]),
        ("parquet", &b"PAR1"[..]),
    ] {
        let output = text(&bench.folder.path().join(format));
        let args = [
            "export", &journal, "--format", format, "-o", &output, "--json",
        ];
        assert_eq!(microtome(&args).json()["records"], count);
        assert!(std::fs::read(output).unwrap().starts_with(begin));
    }

    for (format, ending) in [("ome-tiff", ".ome.tiff"), ("npy", ".npy")] {
        let output = bench.folder.path().join(format).join("frames");
        let args = [
            "export",
            &journal,
            "--format",
            format,
            "-o",
            &text(&output),
            "--json",
        ];
        let json = microtome(&args).json();
        assert_eq!(json["frames"], audit["frames"]);
        let files = std::fs::read_dir(&output).unwrap();
        let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        let has_ending = |name: &&OsString| name.to_str().unwrap().ends_with(ending);
        assert!(names.len() as u64 >= json["files"].as_u64().unwrap());
        assert_eq!(names.iter().filter(has_ending).count(), names.len());
    }

    // A digit of the newest record that is not in the database's own checksums' reach.
    let bytes = std::fs::read(&journal).unwrap();
    let needle = format!("\"sequence\":{},\"acquisition\":", count - 1);
    let at = bytes
        .windows(needle.len())
        .rposition(|window| window == needle.as_bytes());
    let mut damaged = bytes.clone();
    damaged[at.unwrap() + needle.len()] ^= 1;
    std::fs::write(&journal, damaged).unwrap();
    let error = microtome(&["audit", &journal]).error();
    let broken = format!("the chain breaks at record {}", count - 1);
    assert!(
        error.contains(&broken) && error.contains("altered"),
        "{error}"
    );

    let error = microtome(&["audit", "Cargo.toml"]).error();
    assert!(error.contains("journal Cargo.toml"), "{error}");
}
