//! Outboxes: how far results were passed on is known after a restart, and retention waits for them.
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use microtome_journal::{Cursor, Journal, Reader, Retention, audit};
use std::path::Path;
use std::sync::mpsc::channel;
use support::{WAIT_MAX, store};

fn cursor(next: u64) -> Cursor {
    let mark = format!("before {next}");
    Cursor { next, mark }
}

fn indexes(path: &Path) -> std::ops::Range<u64> {
    let reader = Reader::open(path).unwrap();
    assert_eq!(audit(&reader, None).unwrap().broken, None);
    reader.indexes()
}

#[test]
fn a_cursor_is_found_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let journal = Journal::open(&path, Retention::default()).unwrap();
    let outbox = journal.outbox("broker", || ()).unwrap();
    assert_eq!(outbox.cursor(), Cursor::default());
    let error = journal.outbox("broker", || ()).unwrap_err();
    assert_eq!(error.to_string(), "the outbox broker is open already");
    outbox.advance(cursor(3));
    assert_eq!(outbox.cursor(), cursor(3));
    drop(outbox);
    // No result comes any more.
    drop(journal);
    let journal = Journal::open(&path, Retention::default()).unwrap();
    assert_eq!(journal.outbox("broker", || ()).unwrap().cursor(), cursor(3));
    let other = journal.outbox("another", || ()).unwrap();
    assert_eq!(other.cursor(), Cursor::default());
}

#[test]
fn an_outbox_is_woken_by_results_and_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("j"), Retention::default()).unwrap();
    let (wakes, woken) = channel();
    let outbox = journal
        .outbox("broker", move || wakes.send(()).unwrap())
        .unwrap();
    store(&journal, &[(7, 0), (7, 1), (7, 2)]);
    woken.recv_timeout(WAIT_MAX).unwrap();
    while outbox.reader().unwrap().indexes().end < 3 {
        woken.recv_timeout(WAIT_MAX).unwrap();
    }
    let reader = outbox.reader().unwrap();
    let from_1: Vec<u64> = reader
        .records_from(1)
        .unwrap()
        .map(|stored| stored.unwrap().index)
        .collect();
    assert_eq!(from_1, [1, 2]);
    while woken.try_recv().is_ok() {}
    // What is there already wakes nobody.
    store(&journal, &[(7, 2)]);
    assert!(woken.try_recv().is_err());
}

#[test]
fn retention_waits_for_an_outbox_but_not_beyond_its_limit_of_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let newest = |bytes_max| Retention {
        records_max: Some(2),
        bytes_max,
        ..Retention::default()
    };
    let results = |range: std::ops::Range<u64>| range.map(|n| (7, n)).collect::<Vec<_>>();
    let journal = Journal::open(&path, newest(None)).unwrap();
    let outbox = journal.outbox("broker", || ()).unwrap();
    store(&journal, &results(0..10));
    assert_eq!(indexes(&path), 0..10);
    outbox.advance(cursor(6));
    store(&journal, &results(10..11));
    assert_eq!(indexes(&path), 6..11);
    // What is closed is not waited for.
    drop(outbox);
    store(&journal, &results(11..12));
    assert_eq!(indexes(&path), 10..12);
    drop(journal);

    let journal = Journal::open(&path, newest(Some(2000))).unwrap();
    let _outbox = journal.outbox("broker", || ()).unwrap();
    store(&journal, &results(12..40));
    let left = indexes(&path);
    assert!(left.end == 40 && left.start > 30, "{left:?}");
    assert!(left.end - left.start > 2, "{left:?}");
}
