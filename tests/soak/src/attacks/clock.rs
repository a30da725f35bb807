//! The host's clock is set while boards acquire: the daemon runs under libfaketime, whose file of
//! the time this attack writes. Its monotonic clock goes on, as that of an operating system does.
//!
//! Beside what every attack demands, records must tell the offset between the clocks honestly: the
//! truth, which the tap knows from the messages that came quickest, lies within their uncertainty.

use crate::attacks::Load;
use crate::bench::{Bench, Setup, Wishes};
use crate::judge::judge;
use crate::reference::Reference;
use crate::report::Row;
use crate::tap::unix_us;
use anyhow::{Context as _, Result};
use microtome_journal::{Reader, Record};
use oorandom::Rand64;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// For how long, and how often.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Boards and time
    #[command(flatten)]
    pub load: Load,
    /// Milliseconds from one step to the next
    #[arg(long, default_value_t = 3000)]
    pub period_ms: u64,
}

/// Where Debian and Fedora have the library.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

/// Steps in seconds, from which the next is drawn.
const STEPS_S: [i64; 6] = [3600, -3600, 90, -90, 2, -2];
/// By so much the quickest message that the tap saw may have been late.
const TAP_US: i64 = 2_000;
/// Around a step, no record is asked which side of it it belongs to.
const AROUND_US: i64 = 50_000;

/// The library, if it is here.
pub fn library() -> Option<PathBuf> {
    let mut paths = LIBRARIES.iter().map(Path::new);
    paths.find(|path| path.is_file()).map(Path::to_owned)
}

/// The clock that the daemon sees.
struct FakeClock {
    file: PathBuf,
    /// Since when, in true time, by how many microseconds it has been wrong.
    steps: Vec<(i64, i64)>,
}

impl FakeClock {
    fn set(&mut self, offset_s: i64) -> Result<()> {
        // The daemon never sees a half-written file.
        let draft = self.file.with_extension("new");
        std::fs::write(&draft, format!("{offset_s:+}s\n"))?;
        std::fs::rename(&draft, &self.file)?;
        self.steps.push((unix_us(), offset_s * 1_000_000));
        Ok(())
    }

    /// By how much the clock was wrong when it showed `host_us`: each answer that is possible, and
    /// whether it was set about then.
    fn wrong_by(&self, host_us: i64) -> (Vec<i64>, bool) {
        let ends = self
            .steps
            .iter()
            .skip(1)
            .map(|step| step.0)
            .chain([i64::MAX]);
        let (mut possible, mut is_about_step) = (Vec::new(), false);
        for (&(begin, offset), end) in self.steps.iter().zip(ends) {
            let true_us = host_us - offset;
            let near = |at: i64| true_us.saturating_sub(at).saturating_abs() < AROUND_US;
            is_about_step |= near(begin) || near(end);
            if (begin..end).contains(&true_us) {
                possible.push(offset);
            }
        }
        (possible, is_about_step)
    }
}

/// Attacks.
///
/// # Errors
/// When the attack could not be made or judged, as where there is no libfaketime.
pub fn run(setup: &Setup, args: &Args) -> Result<Row> {
    let library = library().context("there is no libfaketime: install it (apt: libfaketime)")?;
    let reference = Reference::take(setup)?;
    let folder = tempfile::tempdir()?;
    let mut clock = FakeClock {
        file: folder.path().join("time"),
        steps: Vec::new(),
    };
    clock.set(0)?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let wishes = Wishes {
        age_max_days: Some(1),
        environment: vec![
            ("LD_PRELOAD", text(&library)),
            ("FAKETIME_TIMESTAMP_FILE", text(&clock.file)),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ],
        ..Wishes::boards(args.load.boards)
    };
    let mut bench = Bench::new(setup, wishes)?;
    let mut random = Rand64::new(setup.seed.into());
    bench.start_daemon()?;
    bench.wait_for_all()?;
    let (end, mut offset_s) = (args.load.end(), 0);
    while Instant::now() < end {
        offset_s += STEPS_S[random.rand_range(0..STEPS_S.len() as u64) as usize];
        clock.set(offset_s)?;
        std::thread::sleep(Duration::from_millis(args.period_ms));
    }
    bench.settle()?;
    let verdict = judge(&bench, &reference)?;
    let honesty = honesty(&bench, &clock)?;
    let steps = clock.steps.len() as u64 - 1;
    Ok(Row::new("clock steps", args.load.text(), &bench, verdict)
        .with("clock set", steps)
        .note("results with an offset", honesty.told)
        .note("µs uncertainty at most", honesty.uncertainty_us_max)
        .demand(honesty.lies.is_empty(), || {
            let (count, first) = (honesty.lies.len(), honesty.lies.first());
            format!("{count} records are wrong about the clocks, first {first:?}")
        }))
}

/// How honest records are about the clocks.
#[derive(Default)]
struct Honesty {
    told: u64,
    uncertainty_us_max: u64,
    lies: Vec<String>,
}

fn honesty(bench: &Bench, clock: &FakeClock) -> Result<Honesty> {
    let mut epochs = BTreeMap::new();
    for station in &bench.stations {
        for (boot, start) in &station.wire.seen().truth.starts {
            epochs.insert(format!("{boot:016x}"), start.epoch_us);
        }
    }
    let mut honesty = Honesty::default();
    for stored in Reader::open(&bench.journal())?.records()? {
        let record: Record = serde_json::from_slice(&stored?.record)?;
        let epoch = epochs.get(&record.boot).copied().flatten();
        let (Some(told), Some(epoch_us)) = (record.clock, epoch) else {
            continue;
        };
        honesty.told += 1;
        honesty.uncertainty_us_max = honesty.uncertainty_us_max.max(told.uncertainty_us);
        let (possible, is_about_step) = clock.wrong_by(record.host_time_us as i64);
        let allowed = told.uncertainty_us as i64 + TAP_US;
        let is_true =
            |wrong_by: &i64| (told.offset_us - epoch_us - wrong_by).saturating_abs() <= allowed;
        if !is_about_step && !possible.iter().any(is_true) {
            let off = told.offset_us - epoch_us;
            honesty.lies.push(format!(
                "{} at {}: off by {off} µs ± {}, truly {possible:?}",
                record.sequence, record.host_time_us, told.uncertainty_us
            ));
        }
    }
    Ok(honesty)
}
