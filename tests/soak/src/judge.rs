//! The judge: what the journal has, against what was said on the wires and what is right.

use crate::bench::Bench;
use crate::reference::Reference;
use crate::tap::{Fact, Start, digest};
use anyhow::{Context as _, Result};
use microtome_journal::{Audit, Reader, Record, audit};
use microtome_link::message::HELD_MAX;
use std::collections::{BTreeMap, BTreeSet};

/// What the judge found.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Results in the journal.
    pub results: u64,
    /// Results that were acknowledged, or should have been, and are not there; frames without one.
    pub lost: u64,
    /// Results or frames that are there more than once.
    pub duplicated: u64,
    /// Results with another content than the board gave them, or than their frames have; and
    /// breaks of the chain.
    pub wrong: u64,
    /// Results that went with the memory of boards that were killed; none had been acknowledged.
    pub gone: u64,
    /// The first thing that is not as it should be.
    pub first_fault: Option<String>,
}

impl Verdict {
    fn lose(&mut self, count: u64, what: impl FnOnce() -> String) {
        self.lost += count;
        self.fault(count, what);
    }

    fn fault(&mut self, count: u64, what: impl FnOnce() -> String) {
        if count > 0 && self.first_fault.is_none() {
            self.first_fault = Some(what());
        }
    }
}

/// What the journal has of one start of a board.
#[derive(Debug, Default)]
struct Recorded {
    /// Which results, by their numbers.
    sequences: Vec<bool>,
    frames: BTreeMap<u32, BTreeSet<u32>>,
}

/// Judges the journal of a bench whose daemon has ended.
///
/// # Errors
/// When the journal can not be read.
pub fn judge(bench: &Bench, reference: &Reference) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let reader = Reader::open(&bench.journal())?;
    let Audit { broken, .. } = audit(&reader, None)?;
    if let Some(broken) = broken {
        verdict.wrong += 1;
        verdict.fault(1, || {
            format!("record {}: {}", broken.index, broken.difference)
        });
    }
    // The command says the same.
    let journal = bench.journal();
    bench.microtome(&["audit", journal.to_str().context("a path")?])?;

    let mut facts: BTreeMap<u64, Vec<Option<Fact>>> = BTreeMap::new();
    for station in &bench.stations {
        let seen = station.wire.seen();
        for (boot, start) in &seen.truth.starts {
            facts.insert(*boot, start.sent.clone());
        }
        verdict.wrong += seen.truth.contradictions;
        verdict.fault(seen.truth.contradictions, || {
            format!(
                "{} sent results of one number with other content",
                station.name
            )
        });
    }
    let mut recorded: BTreeMap<u64, Recorded> = BTreeMap::new();
    for stored in reader.records()? {
        let record: Record = serde_json::from_slice(&stored?.record)?;
        let boot = u64::from_str_radix(&record.boot, 16).context("boot")?;
        verdict.results += 1;
        note(&mut verdict, recorded.entry(boot).or_default(), &record);
        let fact = facts
            .get(&boot)
            .and_then(|sent| *sent.get(record.sequence as usize)?);
        let is_right = fact == Some(fact_of(&record)) && reference.agrees(&record);
        verdict.wrong += u64::from(!is_right);
        verdict.fault(u64::from(!is_right), || {
            format!("the board sent {fact:?}; the journal has {record:?}")
        });
    }
    for station in &bench.stations {
        let seen = station.wire.seen();
        let last = seen.truth.newest;
        for (boot, start) in &seen.truth.starts {
            let recorded = recorded.remove(boot).unwrap_or_default();
            compare(
                &mut verdict,
                &station.name,
                start,
                &recorded,
                last == Some(*boot),
            );
        }
    }
    let invented: u64 = recorded.values().map(|it| it.sequences.len() as u64).sum();
    verdict.wrong += invented;
    verdict.fault(invented, || {
        "the journal has results of no board".to_owned()
    });
    Ok(verdict)
}

/// Notes a record; what is there twice is a fault.
fn note(verdict: &mut Verdict, recorded: &mut Recorded, record: &Record) {
    let at = record.sequence as usize;
    if recorded.sequences.len() <= at {
        recorded.sequences.resize(at + 1, false);
    }
    let is_new_result = !std::mem::replace(&mut recorded.sequences[at], true);
    let frames = recorded.frames.entry(record.acquisition).or_default();
    let is_new_frame = frames.insert(record.frame);
    let double = u64::from(!(is_new_result && is_new_frame));
    verdict.duplicated += double;
    verdict.fault(double, || {
        format!(
            "result {} or frame {} of start {} is there twice",
            record.sequence, record.frame, record.boot
        )
    });
}

/// Compares what a board sent since one start with what is recorded of that.
fn compare(verdict: &mut Verdict, name: &str, start: &Start, recorded: &Recorded, lives: bool) {
    let has = |at: usize| recorded.sequences.get(at).copied().unwrap_or(false);
    let count = start.sent.len().max(start.stored as usize);
    let missing = (0..count).filter(|&at| !has(at));
    let (mut lost, mut gone) = (0, 0);
    for at in missing {
        let must_be = lives || (at as u64) < start.stored || at + 1 < recorded.sequences.len();
        if must_be {
            lost += 1;
        } else {
            gone += 1;
        }
    }
    if gone > HELD_MAX as u64 {
        lost += gone - HELD_MAX as u64;
    }
    verdict.gone += gone;
    verdict.lose(lost, || {
        format!(
            "{name}: {lost} of {count} results are not there, {} acknowledged",
            start.stored
        )
    });
    if lives {
        for (acquisition, frames) in &recorded.frames {
            let open = (0..).zip(frames).find(|(at, frame)| at != *frame);
            let open = u64::from(open.is_some());
            verdict.lose(open, || {
                format!("{name}: acquisition {acquisition} misses a frame")
            });
        }
    }
}

/// What record and result have in common.
fn fact_of(record: &Record) -> Fact {
    let ticks = &record.ticks;
    let in_255 = |confidence: f32| (confidence * 255.0).round() as u8;
    Fact {
        acquisition: record.acquisition,
        frame: record.frame,
        digest: digest(
            record.origin.name(),
            [in_255(record.confidence), in_255(record.board_confidence)],
            [ticks.exposed, ticks.begun, ticks.inferred, ticks.answered],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Recorded, Verdict, compare};
    use crate::tap::{Fact, Start};

    /// A start whose board sent so many results, of which the first `stored` were acknowledged.
    fn start(sent: usize, stored: u64) -> Start {
        let fact = Fact {
            acquisition: 0,
            frame: 0,
            digest: 0,
        };
        Start {
            sent: vec![Some(fact); sent],
            stored,
            ..Start::default()
        }
    }

    fn recorded(sequences: &[bool]) -> Recorded {
        Recorded {
            sequences: sequences.to_vec(),
            ..Recorded::default()
        }
    }

    /// Lost and gone.
    fn judged(start: &Start, recorded: &Recorded, lives: bool) -> (u64, u64) {
        let mut verdict = Verdict::default();
        compare(&mut verdict, "board", start, recorded, lives);
        assert_eq!(verdict.lost > 0, verdict.first_fault.is_some());
        (verdict.lost, verdict.gone)
    }

    #[test]
    fn all_that_a_living_board_sent_must_be_there() {
        assert_eq!(judged(&start(3, 1), &recorded(&[true; 3]), true), (0, 0));
        assert_eq!(judged(&start(3, 1), &recorded(&[true; 2]), true), (1, 0));
        assert_eq!(judged(&start(3, 5), &recorded(&[true; 3]), true), (2, 0));
    }

    #[test]
    fn a_board_that_was_killed_takes_what_was_not_acknowledged_along() {
        assert_eq!(judged(&start(9, 4), &recorded(&[true; 4]), false), (0, 5));
        assert_eq!(judged(&start(9, 4), &recorded(&[true; 3]), false), (1, 5));
        let with_hole = [true, true, true, true, false, true];
        assert_eq!(judged(&start(9, 4), &recorded(&with_hole), false), (1, 3));
        assert_eq!(judged(&start(20, 2), &recorded(&[true; 2]), false), (2, 18));
    }

    #[test]
    fn a_frame_without_a_result_is_lost() {
        let mut has = recorded(&[true; 3]);
        has.frames.insert(7, [0, 1, 3].into());
        assert_eq!(judged(&start(3, 3), &has, true), (1, 0));
        has.frames.insert(7, [0, 1, 2].into());
        assert_eq!(judged(&start(3, 3), &has, true), (0, 0));
    }
}
