//! What a journal promises, and what happens where it can not keep it.

use microtome_daemon::record::{AnswerRecord, Latency};
use microtome_daemon::{Journal, Record};
use std::path::Path;

fn record(frame: u32) -> Record {
    Record {
        host_time_us: 1,
        device: "scope".to_owned(),
        board: "fake".to_owned(),
        firmware: "1".to_owned(),
        model: "light".to_owned(),
        plan: "00".to_owned(),
        frame,
        board_time_us: 2,
        origin: "board",
        executor: "board".to_owned(),
        heavier: None,
        answer: AnswerRecord::Raw,
        confidence: 1.0,
        board_confidence: 1.0,
        latency_us: Latency::default(),
    }
}

#[test]
fn a_line_is_there_as_soon_as_it_is_appended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.jsonl");
    let journal = Journal::open(&path).unwrap();
    for frame in 0..3 {
        journal.append(&record(frame)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count() as u32, frame + 1);
        assert!(text.ends_with('\n'));
    }
    journal.sync().unwrap();
}

#[test]
fn an_unfinished_line_spoils_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.jsonl");
    std::fs::write(&path, "{\"frame\":0}\n{\"fra").unwrap();
    Journal::open(&path).unwrap().append(&record(1)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..2], ["{\"frame\":0}", "{\"fra"]);
    assert!(lines[2].contains("\"frame\":1"));
}

#[test]
fn a_full_disk_is_an_error_that_names_the_journal() {
    let journal = Journal::open(Path::new("/dev/full")).unwrap();
    let error = journal.append(&record(0)).unwrap_err().to_string();
    assert!(
        error.starts_with("journal /dev/full: can not write to it: No space left"),
        "{error}"
    );
}

#[test]
fn a_journal_that_can_not_be_made_is_named() {
    let error = Journal::open(Path::new("/no/such/folder/j"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("journal /no/such/folder/j: can not open it"),
        "{error}"
    );
}
