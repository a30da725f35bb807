//! The table of a run: for people on the error stream, for programs in `summary.json`.

use super::archive::{Case, target};
use super::executor::Executor;
use super::outcome::Outcome;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Mutex;

/// Tests of two executors may end at the same time.
static FILE: Mutex<()> = Mutex::new(());

/// Tells how many cases passed, and why the others did not; gives how many passed.
pub fn tell(executor: Executor, cases: &[Case], outcomes: &[Outcome]) -> usize {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let (mut passed, mut wrong, mut crashed) = (0, Vec::new(), Vec::new());
    for (case, outcome) in cases.iter().zip(outcomes) {
        match outcome {
            Outcome::Passed => passed += 1,
            Outcome::Refused(reason) => *reasons.entry(general(reason)).or_default() += 1,
            Outcome::Wrong(_) => wrong.push(&case.name),
            Outcome::Crashed(_) => crashed.push(&case.name),
        }
    }
    let refused: usize = reasons.values().sum();
    let mut table = format!(
        "conformance of {}: {passed} passed, {refused} refused, {} wrong, {} crashed of {}\n",
        executor.name(),
        wrong.len(),
        crashed.len(),
        cases.len()
    );
    let mut often: Vec<_> = reasons.iter().collect();
    often.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    for (reason, count) in &often {
        table.push_str(&format!("{count:6}  {reason}\n"));
    }
    let _ = std::io::stderr().write_all(table.as_bytes());
    let summary = json!({
        "cases": cases.len(), "passed": passed, "refused": refused, "reasons": reasons,
        "wrong": wrong, "crashed": crashed,
    });
    write(executor, summary);
    passed
}

/// The reason without the names of the case's own nodes and values.
fn general(reason: &str) -> String {
    let mut kept = String::new();
    for (index, part) in reason.split('\'').enumerate() {
        kept.push_str(if index % 2 == 0 { part } else { "…" });
    }
    kept
}

fn write(executor: Executor, summary: Value) {
    let _guard = FILE.lock();
    let path = target().join("summary.json");
    let before = std::fs::read(&path).ok();
    let before = before.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut all: Value = before.unwrap_or_else(|| json!({}));
    all[executor.name()] = summary;
    std::fs::write(path, serde_json::to_vec_pretty(&all).unwrap()).unwrap();
}
