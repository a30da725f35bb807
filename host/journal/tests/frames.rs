//! Frames that are kept: audits of them, and what retention leaves.
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use microtome_journal::{
    Audit, Difference, Hash, Journal, Provenance, Reader, Record, Retention, audit,
};
use redb::{Database, ReadableTable as _, TableDefinition};
use std::path::{Path, PathBuf};
use support::{frame, store};
use tempfile::TempDir;

const FRAMES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("frames");

/// A journal with ten results of a board without and of one with frames, in turns.
fn journal(retention: Retention) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let journal = Journal::open(&path, retention).unwrap();
    for sequence in 0..10 {
        store(&journal, &[(7, sequence), (108, sequence)]);
    }
    (folder, path)
}

fn audited(path: &Path) -> Audit {
    audit(&Reader::open(path).unwrap(), None).unwrap()
}

/// The index and the difference of the break after `change`.
fn tampered(change: impl FnOnce(&mut redb::Table<'_, u64, &[u8]>)) -> (u64, Difference) {
    let (_folder, path) = journal(Retention::default());
    let transaction = Database::open(&path).unwrap().begin_write().unwrap();
    change(&mut transaction.open_table(FRAMES).unwrap());
    transaction.commit().unwrap();
    let broken = audited(&path).broken.unwrap();
    (broken.index, broken.difference)
}

#[test]
fn frames_are_there_as_they_were_given() {
    let (_folder, path) = journal(Retention::default());
    let found = audited(&path);
    assert_eq!((found.records, found.frames, found.broken), (20, 10, None));
    let reader = Reader::open(&path).unwrap();
    let stored = reader.record(5).unwrap().unwrap();
    let record: Record = serde_json::from_slice(&stored.record).unwrap();
    let kept = record.kept_frame.unwrap();
    assert_eq!(reader.frame(5, &kept).unwrap(), frame(108, 2));
    // Another record's frame is not given in its place.
    assert_eq!(reader.frame(7, &kept).unwrap(), None);
    assert_eq!(reader.frame(4, &kept).unwrap(), None);
    assert_eq!(reader.record(20).unwrap(), None);
}

#[test]
fn frames_that_were_changed_removed_added_or_moved_are_named() {
    let recorded = Hash::of(&frame(108, 3).unwrap());
    let altered = Difference::Frame { recorded };
    let found = tampered(|table| {
        let mut bytes = table.get(7).unwrap().unwrap().value().to_vec();
        bytes[100] ^= 1;
        table.insert(7, &bytes[..]).unwrap();
    });
    assert_eq!(found, (7, altered.clone()));
    let found = tampered(|table| drop(table.insert(7, &b"no stream"[..]).unwrap()));
    assert_eq!(found, (7, altered.clone()));
    let found = tampered(|table| {
        let other = table.get(9).unwrap().unwrap().value().to_vec();
        table.insert(7, &other[..]).unwrap();
    });
    assert_eq!(found, (7, altered));
    let found = tampered(|table| drop(table.remove(7).unwrap()));
    assert_eq!(found, (7, Difference::FrameMissing));
    for index in [4, 20] {
        let found = tampered(|table| drop(table.insert(index, &b"more"[..]).unwrap()));
        assert_eq!(found, (index, Difference::FrameSurplus));
    }
}

#[test]
fn retention_of_frames_leaves_the_newest_frames_and_every_record() {
    let (_folder, path) = journal(Retention {
        frames_bytes_max: Some(10_000),
        ..Retention::default()
    });
    let found = audited(&path);
    assert_eq!((found.records, found.first), (20, 0));
    assert_eq!(found.broken, None);
    assert!((2..9).contains(&found.frames), "{found:?}");
    assert_eq!(found.frames + found.frames_removed, 10);
    // The chain is the one that it is with all frames.
    let (_folder, whole) = journal(Retention::default());
    assert_eq!(found.head, audited(&whole).head);

    // Those that are left can not be removed unnoticed, nor those that are gone put back.
    let first = 20 - 2 * found.frames + 1;
    let transaction = Database::open(&path).unwrap().begin_write().unwrap();
    let mut table = transaction.open_table(FRAMES).unwrap();
    let moved = table.remove(first).unwrap().unwrap().value().to_vec();
    drop(table);
    transaction.commit().unwrap();
    let broken = audited(&path).broken.unwrap();
    assert_eq!(
        (broken.index, broken.difference),
        (first, Difference::FrameMissing)
    );
    let transaction = Database::open(&path).unwrap().begin_write().unwrap();
    let mut table = transaction.open_table(FRAMES).unwrap();
    table.insert(1, &moved[..]).unwrap();
    drop(table);
    transaction.commit().unwrap();
    let broken = audited(&path).broken.unwrap();
    assert_eq!(
        (broken.index, broken.difference),
        (1, Difference::FrameSurplus)
    );
}

#[test]
fn a_record_that_is_removed_takes_its_frame_along_and_both_count() {
    let (_folder, path) = journal(Retention {
        bytes_max: Some(12_000),
        ..Retention::default()
    });
    let found = audited(&path);
    assert!((3..12).contains(&found.records), "{found:?}");
    assert!(found.frames.abs_diff(found.records / 2) <= 1, "{found:?}");
    assert_eq!((found.frames_removed, &found.broken), (0, &None));
    assert_eq!(found.first + found.records, 20);
    // Without a frame in it, the same room has far more records.
    let (_folder, path) = journal(Retention {
        bytes_max: Some(12_000),
        frames_bytes_max: Some(1),
        ..Retention::default()
    });
    assert!(audited(&path).records > found.records);
    assert_eq!(audited(&path).frames, 0);
}

/// A record as the version before there were frames wrote it.
const OLD_RECORD: &str = concat!(
    r#"{"host_time_us":1000000,"provenance":"PROVENANCE","boot":"0000000000000007","sequence":0,"#,
    r#""acquisition":0,"frame":0,"ticks":{"exposed":0,"begun":0,"inferred":0,"answered":0},"#,
    r#""clock":null,"origin":"board","executor":"board","heavier":null,"#,
    r#""answer":{"class":{"class":"red","score":0.1}},"confidence":1.0,"board_confidence":1.0,"#,
    r#""latency_us":{"wait":0,"inference":0,"to_host":null,"queue":null,"executor":null,"#,
    r#""to_board":null,"total":0}}"#,
);
const OLD_PROVENANCE: &str = concat!(
    r#"{"device":"scope-7","board":"fake","unit":"","firmware":"","ticks_hz":1000000,"model":"","#,
    r#""plan":"0000000000000000000000000000000000000000000000000000000000000000","daemon":"","#,
    r#""calibration":{"name":"a","pixel_size_nm":null}}"#,
);

/// Makes a journal with one result, as that version did.
fn old_journal(path: &Path) {
    let provenance = Hash::of(OLD_PROVENANCE.as_bytes());
    let record = OLD_RECORD.replace("PROVENANCE", &provenance.to_string());
    let (zero, head) = (Hash::default(), Hash::default().chain(record.as_bytes()));
    let bytes = 32 + record.len();
    let state = format!(
        r#"{{"format":1,"first":0,"anchor":"{zero}","next":1,"head":"{head}","bytes":{bytes}}}"#
    );
    let transaction = Database::create(path).unwrap().begin_write().unwrap();
    let records: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
    let value = [&head.0[..], record.as_bytes()].concat();
    let mut table = transaction.open_table(records).unwrap();
    table.insert(0, &value[..]).unwrap();
    drop(table);
    let provenances: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("provenance");
    let mut table = transaction.open_table(provenances).unwrap();
    table
        .insert(&provenance.0, OLD_PROVENANCE.as_bytes())
        .unwrap();
    drop(table);
    let boots: TableDefinition<'_, u64, u64> = TableDefinition::new("boots");
    transaction.open_table(boots).unwrap().insert(7, 0).unwrap();
    let states: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("state");
    let mut table = transaction.open_table(states).unwrap();
    table.insert("state", state.as_bytes()).unwrap();
    drop(table);
    transaction.commit().unwrap();
}

#[test]
fn a_journal_from_before_there_were_frames_holds_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    old_journal(&path);
    let found = audited(&path);
    assert_eq!((found.records, found.frames, found.broken), (1, 0, None));
    let journal = Journal::open(&path, Retention::default()).unwrap();
    store(&journal, &[(7, 0), (7, 1), (108, 0)]);
    drop(journal);
    let found = audited(&path);
    assert_eq!((found.records, found.frames, found.broken), (3, 1, None));
    // The provenance of a device whose frames are not kept is the same as ever.
    let provenance: Provenance = serde_json::from_str(OLD_PROVENANCE).unwrap();
    assert_eq!(serde_json::to_string(&provenance).unwrap(), OLD_PROVENANCE);
}
