//! The ONNX backend node suite on every executor of this computer: each case passes, or is refused
//! with a reason. None gives a wrong number, none crashes, and what passed once passes on.
//!
//! `conformance/make_cases.py` makes the cases; `conformance/refused/` lists the refused ones. A
//! summary goes to `target/conformance/summary.json`.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

#[path = "conformance/archive.rs"]
mod archive;
#[path = "conformance/executor.rs"]
mod executor;
#[path = "conformance/outcome.rs"]
mod outcome;
#[path = "conformance/plan.rs"]
mod plan;
#[path = "conformance/refusals.rs"]
mod refusals;
#[path = "conformance/summary.rs"]
mod summary;
mod support;
#[path = "conformance/tolerance.rs"]
mod tolerance;
#[path = "conformance/worker.rs"]
mod worker_process;

use archive::Archive;
use executor::Executor;

/// Cases of onnx 1.23.2.
const CASES: usize = 1884;

fn conforms(executor: Executor, passed_min: usize) {
    let archive = match Archive::open() {
        Ok(archive) => archive,
        Err(why) => return support::skip(&format!("conformance of {}", executor.name()), &why),
    };
    assert_eq!(archive.cases.len(), CASES);
    let outcomes = worker_process::run_all(executor, &archive);
    let passed = summary::tell(executor, &archive.cases, &outcomes);
    let faults = refusals::check(executor, &archive.cases, &outcomes);
    assert!(
        faults.is_empty(),
        "{}: {} faults\n{}",
        executor.name(),
        faults.len(),
        faults.join("\n")
    );
    assert!(passed >= passed_min, "only {passed} pass");
}

#[test]
fn tract() {
    conforms(Executor::Tract, 1282);
}

#[test]
fn cpu() {
    conforms(Executor::Cpu, 850);
}

#[test]
fn gpu() {
    match &*executor::GPU {
        Ok(_) => conforms(Executor::Gpu, 600),
        Err(why) => support::skip("conformance of gpu", &why.to_string()),
    }
}

/// The other tests start this one as their worker.
#[test]
fn worker() {
    worker_process::serve();
}
