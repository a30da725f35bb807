//! Two daemons of a fleet through the command: one has a board and publishes, the other answers its
//! questions; everything is killed.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use async_nats::jetstream::{self, stream::Stream};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{microtome, root, skip};

/// Longer than anything takes here.
const WAIT_MAX: Duration = Duration::from_secs(120);

fn text(path: &Path) -> String {
    path.to_str().expect("a path of this test").to_owned()
}

/// A process that does not outlive its test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    fn daemon(config: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_microtome"));
        Self::start(
            command
                .args(["daemon", "--config", &text(config)])
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )
    }

    /// Asks it to end, and waits until it has.
    fn terminate(&mut self) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
        assert!(self.0.wait().unwrap().success());
    }
}

/// As `kill -9` does.
impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A NATS server with its files in `folder`.
fn server(folder: &Path, port: u16) -> Option<Running> {
    let mut command = Command::new("nats-server");
    let path = std::env::var("PATH").unwrap_or_default();
    let command = command
        .env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin"))
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
        .arg(folder.join("store"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let running = Running(command.spawn().ok()?);
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < WAIT_MAX, "the server does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(running)
}

/// A simulated board with the plan of the cascade, and its device.
fn board(folder: &Path) -> (Running, String) {
    for model in ["cells", "cells-heavy"] {
        let plan = text(&folder.join(format!("{model}.mtp")));
        let model = text(&root().join(format!("models/{model}/{model}.onnx")));
        let compiled = microtome(&["compile", &model, "-o", &plan]);
        assert_eq!(compiled.status(), Some(0), "{}", compiled.stderr());
    }
    let plan = text(&folder.join("cells.mtp"));
    let input = text(&root().join("models/cells/golden.npz"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_microtome"));
    command
        .current_dir(root())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command.args([
        "flash", "--board", "sim", "--plan", &plan, "--input", &input, "--json",
    ]);
    let mut board = Running::start(&mut command);
    let mut line = String::new();
    let stdout = board.0.stdout.as_mut().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let json: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
    (board, json["serial"].as_str().unwrap().to_owned())
}

/// Configurations of the daemon with the board and of the one that answers.
fn configure(folder: &Path, port: u16, device: &str) -> [std::path::PathBuf; 2] {
    let fleet =
        format!("gpu = 'off'\n[fleet]\nservers = ['nats://127.0.0.1:{port}']\nsite = 'lab'\n");
    let asker = format!(
        "journal = 'asker.journal'\nplans = ['cells.mtp', 'cells-heavy.mtp']\n{fleet}\
         name = 'asker'\n\
         [[device]]\nname = 'scope'\npath = '{device}'\n\
         [device.acquisition]\nperiod_us = 20000\ndeadline_ms = 5000\n"
    );
    let worker = format!(
        "journal = 'worker.journal'\n{fleet}name = 'bench'\nserve = true\npublish = false\n"
    );
    [("asker.toml", asker), ("worker.toml", worker)].map(|(name, text)| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    })
}

/// What the stream has.
async fn messages(stream: &Stream) -> Vec<Value> {
    let last = stream.get_info().await.unwrap().state.last_sequence;
    let mut messages = Vec::new();
    for sequence in 1..=last {
        let message = stream.get_raw_message(sequence).await.unwrap();
        assert_eq!(
            message.subject.as_str(),
            "microtome.lab.results.asker.scope"
        );
        messages.push(serde_json::from_slice(&message.payload).unwrap());
    }
    messages
}

/// Waits until a result beyond the message `after` is by an executor that begins so.
async fn wait_for(stream: &Stream, after: u64, executor: &str) -> u64 {
    let begun = Instant::now();
    let mut next = after + 1;
    loop {
        assert!(begun.elapsed() < WAIT_MAX, "no result is by {executor}");
        let Ok(message) = stream.get_raw_message(next).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let message: Value = serde_json::from_slice(&message.payload).unwrap();
        if message["record"]["executor"]
            .as_str()
            .unwrap()
            .starts_with(executor)
        {
            return next;
        }
        next += 1;
    }
}

async fn stream(port: u16) -> Stream {
    let client = async_nats::connect(format!("nats://127.0.0.1:{port}"))
        .await
        .unwrap();
    let context = jetstream::new(client);
    let begun = Instant::now();
    loop {
        match context.get_stream("microtome-lab-asker").await {
            Ok(stream) => return stream,
            Err(error) => assert!(begun.elapsed() < WAIT_MAX, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_publishes_each_result_and_is_answered_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let port = {
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        free.local_addr().unwrap().port()
    };
    let Some(running) = server(folder, port) else {
        let test = "a_daemon_publishes_each_result_and_is_answered_by_another";
        return skip(test, "nats-server is not installed");
    };
    let (_board, device) = board(folder);
    let [asker_config, worker_config] = configure(folder, port, &device);
    let mut worker = Running::daemon(&worker_config);
    let mut asker = Running::daemon(&asker_config);
    let on = stream(port).await;
    let at = wait_for(&on, 0, "fleet: bench: cpu").await;
    // Without the worker, the daemon answers itself; with one, that is asked again.
    drop(worker);
    let at = wait_for(&on, at, "cpu").await;
    worker = Running::daemon(&worker_config);
    let at = wait_for(&on, at, "fleet: bench: cpu").await;
    // The daemon is killed, then the server under it.
    drop(asker);
    asker = Running::daemon(&asker_config);
    let at = wait_for(&on, at, "fleet: bench: cpu").await;
    drop(running);
    std::thread::sleep(Duration::from_millis(300));
    let _running = server(folder, port).unwrap();
    let on = stream(port).await;
    wait_for(&on, at, "fleet: bench: cpu").await;
    asker.terminate();
    worker.terminate();

    // The stream is the journal, to the last result.
    let journal = text(&folder.join("asker.journal"));
    let output = text(&folder.join("results.jsonl"));
    let args = [
        "export", &journal, "--format", "jsonl", "-o", &output, "--json",
    ];
    assert!(microtome(&args).json()["records"].as_u64().unwrap() > 0);
    let exported: Vec<Value> = std::fs::read_to_string(output)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let messages = messages(&on).await;
    assert_eq!(messages.len(), exported.len());
    for (message, line) in messages.iter().zip(&exported) {
        for key in ["index", "hash", "record", "provenance"] {
            assert_eq!(message[key], line[key]);
        }
    }
    eprintln!(
        "{} results in the stream, as in the journal",
        messages.len()
    );
}
