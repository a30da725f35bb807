//! How many results a second a journal takes, from so many devices, each of which waits while it
//! has as many unacknowledged as a board holds: `rate FILE DEVICES SECONDS`.

use microtome_journal::record::{Answer, Latency, Origin, Record, Ticks};
use microtome_journal::{Entry, Hash, Journal, Provenance, Retention};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

/// Results that a board holds.
const HELD_MAX: u64 = 16;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, devices, seconds] = &arguments[..] else {
        return Err("FILE DEVICES SECONDS".into());
    };
    let (devices, seconds): (u64, u64) = (devices.parse()?, seconds.parse()?);
    let path = Path::new(file);
    let journal = Journal::open(path, Retention::default())?;
    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds);
    let count = AtomicU64::new(0);
    let longest_us = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for device in 0..devices {
            let (journal, count, longest_us) = (&journal, &count, &longest_us);
            scope.spawn(move || serve(journal, device, until, count, longest_us));
        }
    });
    let count = count.into_inner();
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    let longest_ms = longest_us.into_inner() as f64 / 1e3;
    drop(journal);
    let bytes = path.metadata()?.len() / count.max(1);
    println!(
        "{devices} devices: {rate:.0} results/s, none later than {longest_ms:.1} ms, {bytes} B each"
    );
    let begun = Instant::now();
    drop(Journal::open(path, Retention::default())?);
    println!(
        "opened again in {:.1} ms",
        begun.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}

/// One device, until it is time.
fn serve(
    journal: &Journal,
    device: u64,
    until: Instant,
    count: &AtomicU64,
    longest_us: &AtomicU64,
) {
    let provenance = Provenance {
        device: format!("device {device}"),
        ..Provenance::default()
    };
    let Ok(provenance) = provenance.seal() else {
        return;
    };
    let boot = u64::from(std::process::id()) << 32 | device;
    let (sender, outcomes) = sync_channel::<Duration>(HELD_MAX as usize);
    let mut held = 0;
    for sequence in 0.. {
        if held == HELD_MAX
            && let Ok(after) = outcomes.recv()
        {
            held -= 1;
            longest_us.fetch_max(after.as_micros() as u64, Ordering::Relaxed);
        }
        if Instant::now() >= until {
            break;
        }
        let record = record(provenance.hash, boot, sequence);
        let Ok(entry) = Entry::new(boot, sequence, &provenance, &record) else {
            break;
        };
        let (sender, begun) = (sender.clone(), Instant::now());
        let submitted = journal.submit(entry, move |_| {
            let _ = sender.try_send(begun.elapsed());
        });
        if let Err(refused) = submitted {
            eprintln!("device {device}: {refused}");
            break;
        }
        held += 1;
        count.fetch_add(1, Ordering::Relaxed);
    }
    while held > 0 && outcomes.recv().is_ok() {
        held -= 1;
    }
}

/// As a frame with some cells gives it.
fn record(provenance: Hash, boot: u64, sequence: u64) -> Record {
    Record {
        host_time_us: 1_790_000_000_000_000 + sequence,
        provenance,
        boot: format!("{boot:016x}"),
        sequence,
        acquisition: 0,
        frame: sequence as u32,
        ticks: Ticks::default(),
        clock: None,
        origin: Origin::Board,
        executor: "board".to_owned(),
        heavier: None,
        answer: Answer::Class {
            class: "platelet".to_owned(),
            score: 0.75,
        },
        confidence: 0.75,
        board_confidence: 0.75,
        latency_us: Latency::default(),
        kept_frame: None,
        missed: 0,
    }
}
