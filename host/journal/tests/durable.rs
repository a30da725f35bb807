//! What is acknowledged is there once, whatever becomes of daemon, disk and power.
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use microtome_journal::{Journal, Outcome, Reader, Record, Retention, audit};
use std::collections::BTreeSet;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;
use support::{Disk, WAIT_MAX, frame, store, submit};

const KEEP_ALL: Retention = Retention {
    age_max: None,
    records_max: None,
    bytes_max: None,
    frames_bytes_max: None,
};

/// Boot and sequence of every record, in the journal's order, after an audit; those that are kept
/// with a frame have theirs.
fn recorded(reader: &Reader) -> Vec<(u64, u64)> {
    let found = audit(reader, None).unwrap();
    assert_eq!((found.broken, found.frames_removed), (None, 0));
    let mut frames = 0;
    let records = reader.records().unwrap().map(|stored| {
        let stored = stored.unwrap();
        let record: Record = serde_json::from_slice(&stored.record).unwrap();
        let boot = u64::from_str_radix(&record.boot, 16).unwrap();
        let kept = record.kept_frame.as_ref();
        let kept = kept.map(|kept| reader.frame(stored.index, kept).unwrap().unwrap());
        frames += u64::from(kept.is_some());
        assert_eq!(kept, frame(boot, record.sequence));
        (boot, record.sequence)
    });
    let records: Vec<_> = records.collect();
    assert_eq!(found.frames, frames);
    records
}

fn new(index: u64) -> Outcome {
    Outcome::Recorded { index, missing: 0 }
}

#[test]
fn a_result_that_comes_again_is_recorded_once_also_by_the_next_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let journal = Journal::open(&path, KEEP_ALL).unwrap();
    assert_eq!(
        store(&journal, &[(7, 0), (7, 1), (8, 0), (7, 1)]),
        [new(0), new(1), new(2), Outcome::Known]
    );
    drop(journal);
    let journal = Journal::open(&path, KEEP_ALL).unwrap();
    assert_eq!(
        store(&journal, &[(7, 0), (7, 1), (7, 2)]),
        [Outcome::Known, Outcome::Known, new(3)]
    );
    // Readers need not wait for the daemon to end.
    let reader = Reader::open(&path).unwrap();
    assert_eq!(recorded(&reader), [(7, 0), (7, 1), (8, 0), (7, 2)]);
    store(&journal, &[(7, 3)]);
    assert_eq!(recorded(&reader).len(), 4);
    assert_eq!(recorded(&Reader::open(&path).unwrap()).len(), 5);
}

#[test]
fn results_that_never_came_are_counted() {
    let journal = Journal::on(Disk::default(), KEEP_ALL).unwrap();
    assert_eq!(store(&journal, &[(7, 0)]), [new(0)]);
    let outcome = store(&journal, &[(7, 4)]);
    assert_eq!(
        outcome,
        [Outcome::Recorded {
            index: 1,
            missing: 3
        }]
    );
}

#[test]
fn a_journal_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let _journal = Journal::open(&path, KEEP_ALL).unwrap();
    let error = Journal::open(&path, KEEP_ALL).unwrap_err().to_string();
    assert!(error.contains("another process writes to it"), "{error}");
}

#[test]
fn what_is_no_journal_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let error = Journal::open(&folder.path().join("no/j"), KEEP_ALL).unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
    let path = folder.path().join("text");
    std::fs::write(&path, "{\"frame\":0}\n".repeat(1000)).unwrap();
    for error in [
        Journal::open(&path, KEEP_ALL).map(drop).unwrap_err(),
        Reader::open(&path).map(drop).unwrap_err(),
    ] {
        let error = error.to_string();
        assert!(
            error.starts_with("journal ") && error.contains("text: "),
            "{error}"
        );
    }
}

#[test]
fn a_full_disk_delays_results_and_loses_and_repeats_none() {
    let disk = Disk::default();
    let journal = Journal::on(disk.clone(), KEEP_ALL).unwrap();
    store(&journal, &[(7, 0)]);
    disk.set_room(Some(0));
    let results: Vec<_> = (1..200)
        .flat_map(|sequence| [(7, sequence), (108, sequence - 1)])
        .collect();
    let outcomes = submit(&journal, &results);
    while journal.trouble().is_none() {
        std::thread::yield_now();
    }
    let trouble = journal.trouble().unwrap();
    assert!(trouble.contains("no storage space"), "{trouble}");
    // Some may have had room; what is acknowledged now must be there later.
    let mut done = Vec::new();
    while let Ok(outcome) = outcomes.recv_timeout(Duration::from_millis(200)) {
        done.push(outcome);
    }
    assert!(done.len() < results.len());
    disk.set_room(None);
    while done.len() < results.len() {
        done.push(outcomes.recv_timeout(WAIT_MAX).unwrap());
    }
    assert!(
        done.iter()
            .all(|(_, outcome)| matches!(outcome, Outcome::Recorded { .. }))
    );
    while journal.trouble().is_some() {
        std::thread::yield_now();
    }
    drop(journal);
    let expected = [&[(7, 0)], &results[..]].concat();
    assert_eq!(recorded(&Reader::on(&disk).unwrap()), expected);
}

#[test]
fn a_sync_that_fails_acknowledges_nothing() {
    let disk = Disk::default();
    let journal = Journal::on(disk.clone(), KEEP_ALL).unwrap();
    store(&journal, &[(7, 0)]);
    disk.set_sync_fails(true);
    let outcomes = submit(&journal, &[(7, 1)]);
    let silent = outcomes.recv_timeout(Duration::from_millis(300));
    assert_eq!(silent, Err(RecvTimeoutError::Timeout));
    disk.set_sync_fails(false);
    outcomes.recv_timeout(WAIT_MAX).unwrap();
    drop(journal);
    assert_eq!(recorded(&Reader::on(&disk).unwrap()), [(7, 0), (7, 1)]);
}

#[test]
fn a_journal_that_is_closed_on_a_full_disk_ends() {
    let disk = Disk::default();
    let journal = Journal::on(disk.clone(), KEEP_ALL).unwrap();
    store(&journal, &[(7, 0)]);
    disk.set_room(Some(0));
    disk.set_sync_fails(true);
    let outcomes = submit(&journal, &[(7, 1), (7, 2)]);
    drop(journal);
    assert_eq!(outcomes.recv(), Err(std::sync::mpsc::RecvError));
}

/// Submits the results of two boards, one of which has its frames kept, one after another, until
/// all are acknowledged or the medium fails.
fn work(journal: &Journal, begin: u64, acknowledged: &mut BTreeSet<(u64, u64)>) {
    for sequence in begin..begin + 12 {
        for boot in [7, 108] {
            let outcomes = submit(journal, &[(boot, sequence)]);
            while let Err(RecvTimeoutError::Timeout) = outcomes
                .recv_timeout(Duration::from_millis(1))
                .map(|(result, _)| acknowledged.insert(result))
            {
                if journal.trouble().is_some() {
                    return;
                }
            }
        }
    }
}

#[test]
fn a_power_cut_at_any_write_loses_and_repeats_nothing_acknowledged() {
    let operations = {
        let disk = Disk::default();
        let journal = Journal::on(disk.clone(), KEEP_ALL).unwrap();
        let begun = disk.operations();
        work(&journal, 0, &mut BTreeSet::new());
        drop(journal);
        disk.operations() - begun
    };
    assert!(operations > 100, "{operations}");
    let mut cuts = 0;
    // Every other one, for the time that it takes.
    for at in (0..operations).step_by(2) {
        let disk = Disk::default();
        drop(Journal::on(disk.clone(), KEEP_ALL).unwrap());
        let mut acknowledged = BTreeSet::new();
        disk.cut_after(at, at.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        if let Ok(journal) = Journal::on(disk.clone(), KEEP_ALL) {
            // The power does not come back before the writer has ended.
            work(&journal, 0, &mut acknowledged);
        }
        cuts += u32::from(disk.power_on());
        // The next daemon gets everything that was not acknowledged again, and more.
        let found: BTreeSet<_> = recorded(&Reader::on(&disk).unwrap()).into_iter().collect();
        assert!(
            acknowledged.is_subset(&found),
            "cut at {at}: {acknowledged:?}, {found:?}"
        );
        let journal = Journal::on(disk.clone(), KEEP_ALL).unwrap();
        work(&journal, 0, &mut acknowledged);
        work(&journal, 12, &mut acknowledged);
        drop(journal);
        let all = recorded(&Reader::on(&disk).unwrap());
        assert_eq!(all.len(), 48, "cut at {at}");
        assert_eq!(
            all.into_iter().collect::<BTreeSet<_>>(),
            acknowledged,
            "cut at {at}"
        );
    }
    assert!(u64::from(cuts) > operations / 3, "{cuts} of {operations}");
}
