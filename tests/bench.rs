//! A daemon as a process, and the board that it serves: what several tests need.

#![allow(dead_code, reason = "every test uses a part")]

use crate::support::{microtome, root};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub fn text(path: &Path) -> String {
    path.to_str().expect("a path of this test").to_owned()
}

/// A process that does not outlive its test.
pub struct Running(Child);

impl Running {
    pub fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_microtome"));
        command.args(args).current_dir(root());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self(command.spawn().expect("the command starts"))
    }

    /// Its first line on stdout.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.0.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).unwrap();
        line
    }

    /// Waits until it says `word` on stderr; the line.
    pub fn wait_for(&mut self, word: &str) -> String {
        let stderr = self.0.stderr.take().expect("it is taken once");
        let mut lines = BufReader::new(stderr).lines().map(Result::unwrap);
        let line = lines.find(|line| line.contains(word));
        // It must not wait for whoever reads what it says.
        std::thread::spawn(move || lines.for_each(drop));
        line.unwrap_or_else(|| panic!("it never says {word}"))
    }

    /// Asks it to end, and waits until it has.
    pub fn terminate(&mut self) {
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
pub struct Bench {
    pub folder: TempDir,
    _board: Running,
}

impl Bench {
    /// `more` stands in the configuration before the device.
    pub fn new(more: &str) -> Self {
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
        let flash = text(&folder.path().join("flash.bin"));
        let args = [
            "flash",
            "--board",
            "sim",
            "--plan",
            &plan,
            "--input",
            &input,
            "--updates",
            &flash,
            "--json",
        ];
        let mut board = Running::start(&args);
        let line = board.line();
        let json: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        let path = json["serial"].as_str().unwrap();
        let config = format!(
            "journal = \"results.journal\"\n\
             plans = [\".\"]\n\
             gpu = \"off\"\n\
             {more}\n\
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

    pub fn daemon(&self) -> Running {
        Running::start(&[
            "daemon",
            "--config",
            &text(&self.folder.path().join("daemon.toml")),
        ])
    }

    pub fn journal(&self) -> String {
        text(&self.folder.path().join("results.journal"))
    }

    /// The lines of an export in JSON.
    pub fn exported(&self, filters: &[&str]) -> Vec<Value> {
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
