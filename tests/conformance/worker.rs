//! Cases in processes of their own: whatever an executor does, the suite goes on.
//!
//! A worker is this test program, told by [`ROLE`] to read numbers of cases from its input and to
//! write an outcome for each. When it ends, or takes too long, a new one takes its place.

use super::archive::Archive;
use super::executor::Executor;
use super::outcome::Outcome;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// Names the executor of a worker.
const ROLE: &str = "MICROTOME_CONFORMANCE_WORKER";
/// What a line with an outcome begins with; the test harness writes lines too.
const MARK: &str = "outcome ";
/// A case that takes longer hangs. The longest takes a second on a slow machine.
const CASE_TIME_MAX: Duration = Duration::from_secs(20);
/// Recursion as deep as a model file nests has to fit.
const STACK_BYTES: &str = "67108864";

/// Runs every case of the archive, on all processors, and gives the outcomes in their order.
pub fn run_all(executor: Executor, archive: &Archive) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut outcomes = std::thread::scope(|scope| {
        let jobs: Vec<_> = (0..workers)
            .map(|_| scope.spawn(|| run_some(executor, &next, archive.cases.len())))
            .collect();
        let done = jobs.into_iter().flat_map(|job| job.join().unwrap());
        done.collect::<Vec<_>>()
    });
    outcomes.sort_by_key(|&(index, _)| index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn run_some(executor: Executor, next: &AtomicUsize, len: usize) -> Vec<(usize, Outcome)> {
    let mut worker = Worker::start(executor);
    let mut outcomes = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= len {
            return outcomes;
        }
        let outcome = worker.run(index).unwrap_or_else(|crash| {
            worker = Worker::start(executor);
            Outcome::Crashed(crash)
        });
        outcomes.push((index, outcome));
    }
}

/// A worker's process, and the lines that it writes.
struct Worker {
    child: Child,
    numbers: ChildStdin,
    lines: Receiver<String>,
}

impl Worker {
    fn start(executor: Executor) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "worker", "--nocapture", "--test-threads=1"])
            .env(ROLE, executor.name())
            .env("RUST_MIN_STACK", STACK_BYTES)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let outcome = line.find(MARK).map(|at| line[at + MARK.len()..].to_owned());
                if outcome.is_some_and(|outcome| sender.send(outcome).is_err()) {
                    return;
                }
            }
        });
        Self {
            numbers: child.stdin.take().unwrap(),
            child,
            lines,
        }
    }

    /// Runs a case; an error says how the process came to its end.
    fn run(&mut self, index: usize) -> Result<Outcome, String> {
        let sent = writeln!(self.numbers, "{index}");
        let line = match sent {
            Ok(()) => self.lines.recv_timeout(CASE_TIME_MAX),
            Err(_) => Err(RecvTimeoutError::Disconnected),
        };
        match line {
            Ok(line) => Ok(serde_json::from_str(&line).unwrap()),
            Err(RecvTimeoutError::Timeout) => Err(format!("not done after {CASE_TIME_MAX:?}")),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.child.wait().unwrap();
                Err(format!("the process ended: {status}"))
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The worker's side; in a run that is no worker's there is nothing to do.
pub fn serve() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let executor = Executor::named(&role).expect("the role is an executor's name");
    let archive = Archive::open().unwrap();
    // Panics are outcomes here.
    std::panic::set_hook(Box::new(|_| {}));
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let case = &archive.cases[line.parse::<usize>().unwrap()];
        let outcome = executor.outcome(&archive, case);
        println!("\n{MARK}{}", serde_json::to_string(&outcome).unwrap());
    }
}
