//! `microtome latency`: what the latency ledger has of a journal that is read again.

use crate::report;
use crate::time;
use anyhow::{Context, Result, bail};
use microtome_journal::{Hash, Reader, Record};
use microtome_ledger::{AlarmEvent, Ledger, Leg, Snapshot, Window};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

#[derive(clap::Args)]
pub struct Args {
    /// The journal; a daemon may be writing to it
    journal: PathBuf,
    /// Only the results of this device
    #[arg(long)]
    device: Option<String>,
    /// Only results received at this time or later, such as 2026-11-28T09:30:00Z
    #[arg(long, value_parser = time::unix_us)]
    from: Option<u64>,
    /// Only results received before this time
    #[arg(long, value_parser = time::unix_us)]
    until: Option<u64>,
    /// The time over which percentiles are compared, such as 30s, 1m or 1h
    #[arg(long, default_value = "1m", value_parser = time::duration)]
    window: Duration,
}

#[derive(Serialize)]
struct Json {
    window_s: u64,
    devices: BTreeMap<String, Snapshot>,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let devices = replay(args)?;
    if json {
        let window_s = args.window.as_secs();
        return report::json(&Json { window_s, devices });
    }
    if devices.is_empty() {
        bail!("there is no such result in {}", args.journal.display());
    }
    for (device, snapshot) in &devices {
        print(device, snapshot);
    }
    Ok(())
}

/// What the ledger has of each device when it has read the journal.
fn replay(args: &Args) -> Result<BTreeMap<String, Snapshot>> {
    let reader = Reader::open(&args.journal)?;
    let ledger = Ledger::new(args.window);
    let mut devices = HashMap::<Hash, String>::new();
    for stored in reader.records()? {
        let stored = stored?;
        let record: Record = serde_json::from_slice(&stored.record)
            .with_context(|| format!("record {} does not decode", stored.index))?;
        let is_wanted = args.from.is_none_or(|from| record.host_time_us >= from)
            && args.until.is_none_or(|until| record.host_time_us < until);
        if !is_wanted {
            continue;
        }
        let device = match devices.get(&record.provenance) {
            Some(device) => device,
            None => {
                let provenance = reader.provenance(&record.provenance)?;
                let device = provenance.map(|provenance| provenance.device);
                let device =
                    device.with_context(|| format!("record {} has no provenance", stored.index))?;
                devices.entry(record.provenance).or_insert(device)
            }
        };
        if args.device.as_ref().is_none_or(|wanted| wanted == device) {
            ledger.record(device, &record);
        }
    }
    ledger.close();
    Ok(ledger.snapshots())
}

fn print(device: &str, snapshot: &Snapshot) {
    let counts = &snapshot.counts;
    let clock = snapshot.clock.map_or_else(
        || "not known".to_owned(),
        |clock| {
            format!(
                "{:+.2} ± {:.2} ppm against the host's",
                clock.ppm, clock.uncertainty_ppm
            )
        },
    );
    report::facts(&[
        ("device", device.to_owned()),
        ("results", report::grouped(counts.results)),
        (
            "answered by a heavier model",
            report::grouped(counts.offloaded),
        ),
        ("after the deadline", report::grouped(counts.late)),
        ("without an answer", report::grouped(counts.unanswered)),
        ("exposures missed", report::grouped(counts.missed)),
        ("results missing", report::grouped(counts.lost)),
        ("board's clock", clock),
    ]);
    println!();
    let heads = ["leg, ms", "count", "p50", "p90", "p99", "p99.9", "max"];
    let mut table = report::table(heads, 1);
    for leg in Leg::ALL {
        let Some(times) = snapshot.latency_us.get(leg) else {
            continue;
        };
        let us = [times.p50, times.p90, times.p99, times.p99_9, times.max];
        let mut row = vec![leg.name().to_owned(), report::grouped(times.count)];
        row.extend(us.map(ms));
        table.add_row(row);
    }
    println!("{table}");
    let extremes = [("best", &snapshot.best), ("worst", &snapshot.worst)];
    for (name, window) in extremes {
        if let Some(window) = window {
            println!("{name} window  {}", describe(window));
        }
    }
    for event in &snapshot.events {
        println!("drift         {}", tell(event));
    }
    println!();
}

fn describe(window: &Window) -> String {
    let total = window.latency_us.get(Leg::Total).unwrap_or_default();
    format!(
        "from {}: {} results, total p50 {} ms, p99 {} ms",
        time::clock(window.begin_us),
        window.counts.results,
        ms(total.p50),
        ms(total.p99)
    )
}

fn tell(event: &AlarmEvent) -> String {
    let alarm = &event.alarm;
    format!(
        "{} {} of {}: {} -> {} ms, {}",
        time::clock(event.at_us),
        alarm.quantile.name(),
        alarm.leg.name(),
        ms(alarm.from_us),
        ms(alarm.to_us),
        event.cause.text()
    )
}

fn ms(us: u64) -> String {
    format!("{:.3}", us as f64 / 1e3)
}
