//! Audits, retention and exports.
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use microtome_journal::{
    Audit, Break, Difference, Filter, Format, Hash, Journal, Outcome, Reader, Record, Retention,
    audit, export,
};
use redb::{Database, ReadableTable as _, TableDefinition};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::store;
use tempfile::TempDir;

const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
const PROVENANCE: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("provenance");

/// A journal with ten results of two boards each.
fn journal(retention: Retention) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let journal = Journal::open(&path, retention).unwrap();
    for sequence in 0..10 {
        store(&journal, &[(7, sequence), (8, sequence)]);
    }
    (folder, path)
}

fn audited(path: &Path, noted: Option<(u64, Hash)>) -> Audit {
    audit(&Reader::open(path).unwrap(), noted).unwrap()
}

fn broken(path: &Path) -> Break {
    audited(path, None).broken.expect("a break")
}

/// Changes the journal as somebody does who knows what it is made of.
fn tamper(path: &Path, change: impl FnOnce(&mut redb::Table<'_, u64, &[u8]>)) {
    let transaction = Database::open(path).unwrap().begin_write().unwrap();
    change(&mut transaction.open_table(RECORDS).unwrap());
    transaction.commit().unwrap();
}

fn row(table: &redb::Table<'_, u64, &[u8]>, index: u64) -> Vec<u8> {
    table.get(index).unwrap().unwrap().value().to_vec()
}

#[test]
fn an_unbroken_chain_is_said_to_hold() {
    let (_folder, path) = journal(Retention::default());
    let found = audited(&path, None);
    assert_eq!((found.records, found.first, found.broken), (20, 0, None));
}

/// Makes the journal the one of a daemon whose records had no pin and no missed exposures.
fn write_as_before(path: &Path) {
    const STATE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("state");
    let mut head = Hash([0; 32]);
    tamper(path, |table| {
        for index in 0..20 {
            let mut record = String::from_utf8(row(table, index)[32..].to_vec()).unwrap();
            for new in [",\"signalled\":null", ",\"signal\":null", ",\"missed\":0"] {
                assert!(record.contains(new), "{record}");
                record = record.replace(new, "");
            }
            head = head.chain(record.as_bytes());
            let row = [&head.0[..], record.as_bytes()].concat();
            table.insert(index, &row[..]).unwrap();
        }
    });
    let transaction = Database::open(path).unwrap().begin_write().unwrap();
    let mut table = transaction.open_table(STATE).unwrap();
    let state = table.get("state").unwrap().unwrap().value().to_vec();
    let mut state: Value = serde_json::from_slice(&state).unwrap();
    state["head"] = head.to_string().into();
    let state = serde_json::to_vec(&state).unwrap();
    table.insert("state", &state[..]).unwrap();
    drop(table);
    transaction.commit().unwrap();
}

#[test]
fn records_from_before_a_field_still_hold_and_are_continued() {
    let (_folder, path) = journal(Retention::default());
    write_as_before(&path);
    let found = audited(&path, None);
    assert_eq!((found.records, found.broken), (20, None));
    let reader = Reader::open(&path).unwrap();
    for stored in reader.records().unwrap() {
        let record: Record = serde_json::from_slice(&stored.unwrap().record).unwrap();
        assert_eq!((record.missed, record.ticks.signalled), (0, None));
        assert_eq!(record.latency_us.signal, None);
    }
    drop(reader);
    let (rows, csv) = exported(&path, &Filter::default(), Format::Csv);
    assert!(rows == 20 && csv.starts_with(b"index,"));
    // The same chain goes on with records of today.
    let journal = Journal::open(&path, Retention::default()).unwrap();
    let recorded = store(&journal, &[(7, 10)]);
    let (index, missing) = (20, 0);
    assert_eq!(recorded, [Outcome::Recorded { index, missing }]);
    drop(journal);
    let found = audited(&path, None);
    assert_eq!((found.records, found.broken), (21, None));
}

#[test]
fn a_record_that_was_changed_is_named() {
    let (_folder, path) = journal(Retention::default());
    tamper(&path, |table| {
        let text = String::from_utf8(row(table, 12)[32..].to_vec()).unwrap();
        let text = text.replace("\"confidence\":1.0", "\"confidence\":0.9");
        let value = [&row(table, 12)[..32], text.as_bytes()].concat();
        table.insert(12, &value[..]).unwrap();
    });
    let found = broken(&path);
    assert_eq!(
        (found.index, found.device.as_deref()),
        (12, Some("scope-7"))
    );
    assert!(matches!(found.difference, Difference::Content { .. }));
    assert!(found.difference.to_string().contains("altered"));
    assert_eq!(audited(&path, None).records, 12);
}

#[test]
fn a_record_that_was_changed_together_with_its_hash_is_found_at_the_next() {
    let (_folder, path) = journal(Retention::default());
    tamper(&path, |table| {
        let before: [u8; 32] = row(table, 4)[..32].try_into().unwrap();
        let text = String::from_utf8(row(table, 5)[32..].to_vec()).unwrap();
        let text = text.replace("\"frame\":2", "\"frame\":3");
        let hash = Hash(before).chain(text.as_bytes());
        table
            .insert(5, &[&hash.0, text.as_bytes()].concat()[..])
            .unwrap();
    });
    let found = broken(&path);
    assert_eq!((found.index, found.device.as_deref()), (6, Some("scope-7")));
}

#[test]
fn records_that_are_missing_moved_or_added_are_named() {
    let (_folder, path) = journal(Retention::default());
    tamper(&path, |table| drop(table.remove(3).unwrap()));
    assert_eq!(broken(&path).index, 3);
    assert_eq!(broken(&path).difference, Difference::Missing);

    let (_folder, path) = journal(Retention::default());
    tamper(&path, |table| drop(table.remove(19).unwrap()));
    assert_eq!(broken(&path).index, 19);
    assert_eq!(broken(&path).difference, Difference::Missing);

    let (_folder, path) = journal(Retention::default());
    tamper(&path, |table| {
        let (a, b) = (row(table, 10), row(table, 11));
        table.insert(10, &b[..]).unwrap();
        table.insert(11, &a[..]).unwrap();
    });
    assert_eq!(broken(&path).index, 10);

    let (_folder, path) = journal(Retention::default());
    tamper(&path, |table| {
        let last = row(table, 19);
        table.insert(20, &last[..]).unwrap();
    });
    assert_eq!(broken(&path).index, 20);
    assert_eq!(broken(&path).difference, Difference::Surplus);
}

#[test]
fn a_chain_that_was_written_anew_is_found_by_a_hash_that_was_noted() {
    let (_folder, path) = journal(Retention::default());
    let noted = (19, audited(&path, None).head);
    assert_eq!(audited(&path, Some(noted)).broken, None);
    let other = Difference::Noted {
        noted: Hash::of(b""),
    };
    let found = audited(&path, Some((18, Hash::of(b"")))).broken.unwrap();
    assert_eq!((found.index, found.difference), (18, other));
    let found = audited(&path, Some((25, noted.1))).broken.unwrap();
    assert_eq!((found.index, found.difference), (25, Difference::Missing));
}

#[test]
fn a_provenance_that_was_changed_is_found_at_its_first_record() {
    let (_folder, path) = journal(Retention::default());
    let provenance = support::provenance("scope-8").hash;
    let transaction = Database::open(&path).unwrap().begin_write().unwrap();
    let mut table = transaction.open_table(PROVENANCE).unwrap();
    let bytes = table.get(&provenance.0).unwrap().unwrap().value().to_vec();
    let text = String::from_utf8(bytes).unwrap().replace("fake", "real");
    table.insert(&provenance.0, text.as_bytes()).unwrap();
    drop(table);
    transaction.commit().unwrap();
    let found = broken(&path);
    assert_eq!((found.index, found.difference), (1, Difference::Provenance));
}

#[test]
fn a_bit_that_flips_on_the_disk_does_not_pass() {
    let (_folder, path) = journal(Retention::default());
    let bytes = std::fs::read(&path).unwrap();
    let needle = b"\"sequence\":9,\"acquisition\":0";
    let at = bytes
        .windows(needle.len())
        .rposition(|window| window == needle)
        .unwrap();
    let mut damaged = bytes.clone();
    damaged[at + needle.len() - 1] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    // Either the database notices, or the chain.
    match Reader::open(&path).and_then(|reader| audit(&reader, None)) {
        Ok(audit) => assert!(audit.broken.is_some_and(|found| found.index >= 18)),
        Err(error) => assert!(error.to_string().contains("journal")),
    }
}

#[test]
fn retention_keeps_the_newest_and_the_chain() {
    let (_folder, path) = journal(Retention {
        records_max: Some(5),
        ..Retention::default()
    });
    let found = audited(&path, None);
    assert_eq!((found.records, found.first, found.broken), (5, 15, None));
    // The chain is the one that it is without retention.
    let (_folder, whole) = journal(Retention::default());
    assert_eq!(found.head, audited(&whole, None).head);
    // What was removed is not taken for new when it comes again.
    let journal = Journal::open(&path, Retention::default()).unwrap();
    assert_eq!(store(&journal, &[(7, 3)]), [Outcome::Known]);

    tamper_anchor(&path, journal);
}

/// The first record that is left can not be removed unnoticed.
fn tamper_anchor(path: &Path, journal: Journal) {
    drop(journal);
    tamper(path, |table| drop(table.remove(15).unwrap()));
    assert_eq!(broken(path).index, 15);
}

#[test]
fn retention_goes_by_age_and_by_bytes_too() {
    // The records of these tests are from 1970.
    let (_folder, path) = journal(Retention {
        age_max: Some(Duration::from_secs(3600)),
        ..Retention::default()
    });
    let found = audited(&path, None);
    assert_eq!((found.records, found.first, found.broken), (0, 20, None));

    let (_folder, path) = journal(Retention {
        bytes_max: Some(2000),
        ..Retention::default()
    });
    let found = audited(&path, None);
    assert!(
        (1..6).contains(&found.records) && found.broken.is_none(),
        "{found:?}"
    );
}

fn exported(path: &Path, filter: &Filter, format: Format) -> (u64, Vec<u8>) {
    let mut out = Vec::new();
    let count = export(&Reader::open(path).unwrap(), filter, format, &mut out).unwrap();
    (count, out)
}

#[test]
fn json_lines_have_all_that_an_auditor_needs() {
    let (_folder, path) = journal(Retention::default());
    let (count, out) = exported(&path, &Filter::default(), Format::Jsonl);
    let text = String::from_utf8(out).unwrap();
    assert_eq!((count, text.lines().count()), (20, 20));
    let mut head = Hash::default();
    for (index, line) in text.lines().enumerate() {
        let json: Value = serde_json::from_str(line).unwrap();
        assert_eq!(json["index"], index);
        assert_eq!(json["provenance"]["board"], "fake");
        let record = line
            .split_once("\"record\":")
            .unwrap()
            .1
            .strip_suffix('}')
            .unwrap();
        head = head.chain(record.as_bytes());
        assert_eq!(json["hash"], head.to_string());
    }
}

#[test]
fn filters_take_a_device_and_a_time() {
    let (_folder, path) = journal(Retention::default());
    let filter = Filter {
        device: Some("scope-8".to_owned()),
        from_us: Some(1_000_002),
        until_us: Some(1_000_005),
    };
    let (count, out) = exported(&path, &filter, Format::Jsonl);
    let text = String::from_utf8(out).unwrap();
    let sequences: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["record"]["sequence"].clone())
        .collect();
    assert_eq!(count, 3);
    assert_eq!(sequences, [2, 3, 4]);
}

#[test]
fn csv_has_a_line_of_names_and_quotes_what_needs_it() {
    let (_folder, path) = journal(Retention::default());
    let (_, out) = exported(&path, &Filter::default(), Format::Csv);
    let text = String::from_utf8(out).unwrap();
    let mut lines = text.split("\r\n");
    let names: Vec<_> = lines.next().unwrap().split(',').collect();
    assert_eq!(names[..2], ["index", "host_time_us"]);
    let first = lines.next().unwrap();
    assert!(
        first.starts_with("0,1000000,,,scope-7,0,0,board,board,"),
        "{first}"
    );
    assert!(first.contains(",\"red, or \"\"not\"\"\",0.1,"), "{first}");
    assert_eq!(lines.filter(|line| !line.is_empty()).count(), 19);
}

#[test]
fn parquet_reads_back() {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    let (_folder, path) = journal(Retention::default());
    let (_, out) = exported(&path, &Filter::default(), Format::Parquet);
    let file = path.with_extension("parquet");
    std::fs::write(&file, out).unwrap();
    let reader = SerializedFileReader::new(std::fs::File::open(file).unwrap()).unwrap();
    let rows: Vec<_> = reader
        .get_row_iter(None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows.len(), 20);
    let row = rows[5].to_string();
    for part in [
        "index: 5",
        "device: \"scope-8\"",
        "sequence: 2",
        "clock_offset_us: null",
        "class: \"red, or \"not\"\"",
        "class_score: 0.1",
    ] {
        assert!(row.contains(part), "{part}: {row}");
    }
}

#[test]
fn an_empty_journal_is_sound_and_exports_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    drop(Journal::open(&path, Retention::default()).unwrap());
    assert_eq!(audited(&path, None).broken, None);
    for format in [Format::Jsonl, Format::Csv, Format::Parquet] {
        assert_eq!(exported(&path, &Filter::default(), format).0, 0);
    }
}
