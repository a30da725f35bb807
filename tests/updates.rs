//! Updates of a board's plan through the command and the daemon: keys, refusals, results that the
//! board holds, and power that is lost at any moment.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

#[path = "updates/bench.rs"]
mod bench;
#[path = "updates/plans.rs"]
mod plans;
#[path = "updates/power.rs"]
mod power;
mod support;

use bench::{Bench, image_of, text};
use microtome_daemon::session::Event;
use microtome_daemon::update::{Port, UpdateError, update, update_recorded};
use microtome_daemon::{DeviceLog, Instrument, Plans, Services, Session, SessionError, stop};
use microtome_journal::{Hash, Journal, Reader, Record, Retention};
use microtome_link::message::{Acquisition, Mode};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::{Ran, microtome};
use tokio::runtime::Runtime;

/// The command on an emulated board whose flash is the file `flash`.
fn on_board(flash: &Path, command: &str, args: &[&str]) -> Ran {
    let (flash, image) = (text(flash), text(&image_of("sim")));
    let mut all = vec![command, "--board", "sim", "--flash", &flash, "--json"];
    all.extend(["--firmware", &image]);
    all.extend(args);
    microtome(&all)
}

/// A plan in the file that `name` is of, and its path.
fn plan_file(folder: &Path, name: &str, limit: i8) -> String {
    let path = folder.join(name);
    std::fs::write(&path, plans::clamp(limit).bytes()).unwrap();
    text(&path)
}

fn hash(limit: i8) -> String {
    let digest = plans::clamp(limit).digest();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A new private key in `folder`, its public key, and that in hexadecimal.
fn keygen(folder: &Path, name: &str) -> (String, String, String) {
    let private = text(&folder.join(name).with_extension("key"));
    let json = microtome(&["keygen", "-o", &private, "--json"]).json();
    let [public, key] = ["public", "key"].map(|it| json[it].as_str().unwrap().to_owned());
    (private, public, key)
}

#[test]
fn a_board_runs_what_its_owner_signs_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let flash = folder.join("flash.bin");
    let [old, new] =
        [("old.mtp", 9), ("new.mtp", 20)].map(|(name, it)| plan_file(folder, name, it));
    let (owner, owner_pub, key) = keygen(folder, "owner");
    let (other, other_pub, _) = keygen(folder, "other");
    let error = microtome(&["keygen", "-o", &owner]).error();
    assert!(error.contains("never overwritten"), "{error}");

    // Without a key, everyone may.
    let state = on_board(&flash, "update", &[&old, "--release", "5"]).json();
    assert_eq!(
        (&state["plan_hash"], &state["key"]),
        (&hash(9).into(), &Value::Null)
    );
    assert_eq!(
        (&state["release"], &state["confirmed"]),
        (&5.into(), &true.into())
    );

    let state = on_board(&flash, "trust", &["--key", &owner_pub]).json();
    assert_eq!(state["key"], *key);
    let refused = |args: &[&str]| on_board(&flash, "update", args).error();
    let error = refused(&[&new]);
    assert!(
        error.contains("unsigned") && error.contains(&key),
        "{error}"
    );
    assert!(error.contains("--key"), "{error}");
    let error = refused(&[&new, "--key", &other]);
    assert!(
        error.contains("another key") && error.contains(&key),
        "{error}"
    );
    assert_eq!(
        on_board(&flash, "update", &["--state"]).json()["plan_hash"],
        *hash(9)
    );

    // A package that was made elsewhere, with the key.
    let package = text(&folder.join("new.mtu"));
    let args = [
        "pack",
        &new,
        "-o",
        &package,
        "--release",
        "6",
        "--key",
        &owner,
        "--json",
    ];
    let packed = microtome(&args).json();
    assert_eq!(
        (&packed["key"], &packed["vectors"]),
        (&key.as_str().into(), &4.into())
    );
    let inspected = microtome(&["inspect", &package, "--json"]).json();
    assert_eq!(inspected["plan_hash"], *hash(20));
    let state = on_board(&flash, "update", &[&package]).json();
    assert_eq!(
        (&state["plan_hash"], &state["release"]),
        (&hash(20).into(), &6.into())
    );
    let again = on_board(&flash, "update", &[&package]);
    assert!(again.stderr().contains("already"), "{}", again.stderr());

    // Backwards only where that is asked for.
    let error = refused(&[&old, "--release", "5", "--key", &owner]);
    assert!(error.contains("--allow-downgrade"), "{error}");
    let args = [&old, "--release", "5", "--key", &owner, "--allow-downgrade"];
    assert_eq!(
        on_board(&flash, "update", &args).json()["plan_hash"],
        *hash(9)
    );

    // The key is its owner's to change.
    let error = on_board(&flash, "trust", &["--key", &other_pub]).error();
    assert!(error.contains(&key), "{error}");
    let error = on_board(&flash, "trust", &["--none", "--old", &other]).error();
    assert!(error.contains(&key), "{error}");
    let args = ["--key", &other_pub, "--old", &owner];
    assert_ne!(on_board(&flash, "trust", &args).json()["key"], *key);
    let state = on_board(&flash, "trust", &["--none", "--old", &other]).json();
    assert_eq!(state["key"], Value::Null);
    assert_eq!(
        on_board(&flash, "update", &[&new]).json()["plan_hash"],
        *hash(20)
    );
}

#[test]
fn bad_arguments_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.onnx");
    std::fs::write(&model, b"?").unwrap();
    let output = text(&folder.path().join("p.mtu"));
    let error = microtome(&["pack", &text(&model), "-o", &output]).error();
    assert!(error.contains("microtome compile"), "{error}");
    let package = folder.path().join("empty.mtu");
    std::fs::write(&package, b"").unwrap();
    let error = microtome(&["pack", &text(&package), "-o", &output]).error();
    assert!(error.contains("not an update package"), "{error}");
    let error = microtome(&["update", "--state", "--port", "/dev/none"]).error();
    assert!(error.contains("no such device"), "{error}");
    for args in [
        &["update", "--state"][..],
        &["update", "--port", "x"],
        &["trust", "--port", "x"],
    ] {
        assert_eq!(microtome(args).status(), Some(2), "{args:?}");
    }
}

#[test]
fn a_package_whose_outputs_are_not_the_boards_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let flash = folder.path().join("flash.bin");
    let old = plan_file(folder.path(), "old.mtp", 9);
    on_board(&flash, "update", &[&old, "--release", "1"]).json();
    let wrong = folder.path().join("wrong.mtu");
    std::fs::write(&wrong, plans::wrong_package(20, 2).bytes()).unwrap();
    let error = on_board(&flash, "update", &[&text(&wrong)]).error();
    assert!(error.contains("golden vector 1"), "{error}");
    let state = on_board(&flash, "update", &["--state"]).json();
    assert_eq!(
        (&state["plan_hash"], &state["release"]),
        (&hash(9).into(), &1.into())
    );
    assert_eq!(state["confirmed"], true);
}

const FRAMES: u32 = 3;

fn frames(frames: u32) -> Acquisition {
    Acquisition {
        frames,
        period_us: 0,
        offload: false,
        deadline_ms: 0,
        mode: Mode::Rate,
    }
}

/// A board that holds results, and the path of its serial device.
async fn holding() -> (Bench, PathBuf) {
    let mut bench = Bench::new("sim", 9);
    let path = bench.start();
    let mut session = Session::open(&path, 921_600, DeviceLog::new("sim"))
        .await
        .unwrap();
    session.start(frames(FRAMES)).await.unwrap();
    while !matches!(session.next_event().await.unwrap(), Event::Stopped { .. }) {}
    (bench, path)
}

#[test]
fn results_that_a_board_holds_are_lost_only_when_asked_for() {
    let runtime = Runtime::new().unwrap();
    for keep in [true, false] {
        let (bench, path) = runtime.block_on(holding());
        let (path, new) = (text(&path), plan_file(bench.folder.path(), "new.mtp", 20));
        let error = microtome(&["update", &new, "--port", &path]).error();
        assert!(error.contains("holds 3 results"), "{error}");
        assert!(
            error.contains("--journal") && error.contains("--discard-results"),
            "{error}"
        );
        let state = microtome(&["update", "--state", "--port", &path, "--json"]).json();
        assert_eq!(state["plan_hash"], *hash(9));
        let journal = bench.file("results.journal");
        let mut args = vec!["update", &*new, "--port", &path, "--json"];
        let journal_path = text(&journal);
        if keep {
            args.extend(["--journal", &journal_path]);
        } else {
            args.push("--discard-results");
        }
        let ran = microtome(&args);
        assert_eq!(ran.json()["plan_hash"], *hash(20));
        if keep {
            // The board may have exposed one more before it was told to stop.
            let records = records(&journal);
            assert!([3, 4].contains(&records.len()), "{records:?}");
            assert!(
                records
                    .iter()
                    .all(|(_, plan)| *plan == Hash(plans::clamp(9).digest()))
            );
        } else {
            assert!(ran.stderr().contains("3 results"), "{}", ran.stderr());
        }
    }
}

/// The records of a journal, each with the plan that it is of.
fn records(journal: &Path) -> Vec<(Record, Hash)> {
    let reader = Reader::open(journal).unwrap();
    let stored = reader.records().unwrap().map(Result::unwrap);
    let records = stored.map(|stored| serde_json::from_slice::<Record>(&stored.record).unwrap());
    records
        .map(|record| {
            let provenance = reader.provenance(&record.provenance).unwrap().unwrap();
            (record, provenance.plan)
        })
        .collect()
}

/// A board as a daemon has it: the same process, session after session.
struct Line(PathBuf);

impl Port for Line {
    async fn open(&mut self) -> Result<Session, SessionError> {
        Session::open(&self.0, 921_600, DeviceLog::new("sim")).await
    }
}

#[test]
fn a_daemon_records_what_was_held_and_goes_on_with_the_new_plan() {
    Runtime::new().unwrap().block_on(async {
        let (bench, path) = holding().await;
        let (journal, kept) = (bench.file("results.journal"), bench.file("results.plans"));
        let plans = Plans::from_iter([plans::clamp(9)])
            .keeping(kept.clone())
            .unwrap();
        let services = Arc::new(Services {
            plans,
            offload: None,
            journal: Journal::open(&journal, Retention::default()).unwrap(),
            ledger: Arc::default(),
        });
        let mut line = Line(path);
        let package = plans::package(20, 1);
        let refused = update(&mut line, &package, false, &mut |_| ()).await;
        assert!(
            matches!(refused, Err(UpdateError::Refused { .. })),
            "{refused:?}"
        );
        update_recorded(&mut line, &package, false, &services, None, &mut |_| ())
            .await
            .unwrap();
        let session = line.open().await.unwrap();
        let mut instrument = Instrument::new(session, Arc::clone(&services));
        let mut stop = stop().1;
        let done = instrument.acquire(frames(2), &mut stop, &mut |_| ()).await;
        done.unwrap();
        assert_eq!(instrument.summary().frames, 2);
        drop(instrument);
        drop(services);
        let plans = records(&journal).into_iter().map(|(_, plan)| plan);
        let plans: Vec<Hash> = plans.collect();
        let [old, new] = [9, 20].map(|limit| Hash(plans::clamp(limit).digest()));
        let (before, after) = plans.split_at(plans.len() - 2);
        assert!(before.len() >= 3 && before.iter().all(|plan| *plan == old));
        assert_eq!(after, [new; 2]);
        let again = Plans::default().keeping(kept).unwrap();
        assert!(
            again.with_digest(&new.0).is_some(),
            "the next daemon knows the new plan"
        );
    });
}
