//! The list of refused cases of an executor: a committed file that only ever shrinks.

use super::archive::Case;
use super::executor::Executor;
use super::outcome::Outcome;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// When it is set, a run takes the cases that pass off the list, and renews the reasons.
const BLESS: &str = "MICROTOME_BLESS";

fn path(executor: Executor) -> PathBuf {
    let name = format!("tests/conformance/refused/{}.txt", executor.name());
    super::support::root().join(name)
}

/// The listed cases. `None` when the executor has no list yet.
fn listed(executor: Executor) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(path(executor)).ok()?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let names = lines.filter_map(|line| line.split_whitespace().next());
    Some(names.map(str::to_owned).collect())
}

/// Everything in which the outcomes are not what the list says, one line each.
pub fn check(executor: Executor, cases: &[Case], outcomes: &[Outcome]) -> Vec<String> {
    let bless = std::env::var_os(BLESS).is_some();
    let listed = listed(executor);
    let is_listed = |name: &String| listed.as_ref().is_none_or(|names| names.contains(name));
    let refused: BTreeMap<_, _> = cases
        .iter()
        .zip(outcomes)
        .filter_map(|(case, outcome)| match outcome {
            Outcome::Refused(reason) => Some((&case.name, reason)),
            _ => None,
        })
        .collect();
    if bless {
        let kept = refused.iter().filter(|(name, _)| is_listed(name));
        write(executor, kept.map(|(&name, &reason)| (name, reason)));
    }
    let mut faults = Vec::new();
    for (case, outcome) in cases.iter().zip(outcomes) {
        let name = &case.name;
        match outcome {
            Outcome::Wrong(what) => faults.push(format!("{name} is wrong: {what}")),
            Outcome::Crashed(how) => faults.push(format!("{name} crashed: {how}")),
            Outcome::Refused(reason) if listed.is_none() && !bless => {
                faults.push(format!("{name} is refused, and there is no list: {reason}"));
            }
            Outcome::Refused(reason) if !is_listed(name) => {
                faults.push(format!(
                    "{name} passed before, and is refused now: {reason}"
                ));
            }
            _ => {}
        }
    }
    let gone = |name: &&String| !refused.contains_key(name);
    if !bless {
        for name in listed.iter().flatten().filter(gone) {
            faults.push(format!(
                "{name} is listed in {} and no longer refused: run the test with {BLESS}=1",
                path(executor).display()
            ));
        }
    }
    faults
}

fn write<'a>(executor: Executor, refused: impl Iterator<Item = (&'a String, &'a String)>) {
    let name = executor.name();
    let mut text = format!(
        "# Cases of the ONNX backend node suite that {name} refuses, and why. This list only\n\
         # shrinks; `{BLESS}=1 cargo test --release --test conformance` takes off what passes.\n"
    );
    for (case, reason) in refused {
        // What to do about it comes after the first semicolon, and is the same for many.
        let why = reason.split(';').next().unwrap_or_default();
        text.push_str(&format!("{case}  {}\n", why.replace('\n', " ")));
    }
    let path = path(executor);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
