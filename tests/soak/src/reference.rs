//! What is right: the readings of every frame in runs without any fault.

use crate::bench::{Bench, Setup, Wishes};
use crate::frames;
use anyhow::{Result, ensure};
use microtome_journal::record::{Answer, Origin};
use microtome_journal::{Reader, Record};
use std::time::Duration;

/// A run without faults has ended by then.
const RUN_TIMEOUT: Duration = Duration::from_secs(240);

/// An answer and its confidence.
type Reading = (Answer, f32);

/// The readings of the frames in the replay store, by their place in it.
#[derive(Debug)]
pub struct Reference {
    board: Vec<Reading>,
    /// `None` where the board does not ask.
    host: Vec<Option<Reading>>,
}

impl Reference {
    /// Has a simulated board acquire every frame, first alone, then with the heavier model.
    ///
    /// # Errors
    /// When that does not work, or the frames are all alike.
    pub fn take(setup: &Setup) -> Result<Self> {
        let setup = Setup {
            board: "sim".to_owned(),
            firmware: setup.firmware.clone().filter(|_| setup.board == "sim"),
            keep: None,
            ..setup.clone()
        };
        let board = acquire(&setup, 0)?;
        let host = acquire(&setup, 1)?;
        let reading = |record: &Record| (record.answer.clone(), record.confidence);
        let by_host = |record: &Record| (record.origin == Origin::Host).then(|| reading(record));
        let reference = Self {
            board: board.iter().map(reading).collect(),
            host: host.iter().map(by_host).collect(),
        };
        let asked = reference.host.iter().flatten().count();
        let unlike = reference
            .board
            .windows(2)
            .filter(|two| two[0] != two[1])
            .count();
        ensure!(
            unlike > frames::COUNT / 2 && asked > 0,
            "the frames say too little ({asked} asked, {unlike} unlike): give another --seed"
        );
        Ok(reference)
    }

    /// Whether a record has the readings that its frame has.
    pub fn agrees(&self, record: &Record) -> bool {
        let at = record.frame as usize % self.board.len();
        let reading = match record.origin {
            Origin::Host => self.host[at].as_ref(),
            _ => Some(&self.board[at]),
        };
        // Also where the daemon that answered did not live to record it.
        let names_model = record.heavier.is_some() == (record.origin == Origin::Host);
        names_model
            && reading.is_some_and(|(answer, confidence)| {
                *answer == record.answer && *confidence == record.confidence
            })
            && record.board_confidence == self.board[at].1
    }
}

/// The records of all frames, in the order of the frames.
fn acquire(setup: &Setup, asks_every: usize) -> Result<Vec<Record>> {
    let wishes = Wishes {
        boards: 1,
        asks_every,
        frames: frames::COUNT as u32,
        deadline_ms: 20_000,
        ..Wishes::default()
    };
    let mut bench = Bench::new(setup, wishes)?;
    bench.start_daemon()?;
    bench.running()?.join(RUN_TIMEOUT)?;
    let reader = Reader::open(&bench.journal())?;
    let mut records: Vec<Record> = Vec::new();
    for stored in reader.records()? {
        records.push(serde_json::from_slice(&stored?.record)?);
    }
    records.sort_by_key(|record| record.frame);
    ensure!(
        records
            .iter()
            .map(|it| it.frame)
            .eq(0..frames::COUNT as u32),
        "a run without faults has not every frame"
    );
    Ok(records)
}
