//! Many boards, as fast as they can.

use crate::attacks::Load;
use crate::bench::{Bench, Setup, Wishes};
use crate::judge::judge;
use crate::reference::Reference;
use crate::report::Row;
use anyhow::Result;
use std::time::{Duration, Instant};

/// How many, and for how long.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Boards
    #[arg(long, default_value_t = 100)]
    pub boards: usize,
    /// Seconds
    #[arg(long, default_value_t = 600)]
    pub seconds: u64,
    /// Every so-manieth board may ask the heavier model; 0 is none
    #[arg(long, default_value_t = 10)]
    pub asks_every: usize,
    /// KiB by which the daemon's memory may grow in the second half of the time; in the first, the
    /// database's cache fills
    #[arg(long, default_value_t = 2 * 1024)]
    pub growth_kib_max: u64,
}

/// Attacks.
///
/// # Errors
/// When the attack could not be made or judged.
pub fn run(setup: &Setup, args: &Args) -> Result<Row> {
    let reference = Reference::take(setup)?;
    let wishes = Wishes {
        asks_every: args.asks_every,
        ..Wishes::boards(args.boards)
    };
    let mut bench = Bench::new(setup, wishes)?;
    bench.start_daemon()?;
    bench.wait_for_all()?;
    let (load, sent) = (load(args), bench.sent());
    let mut memory = Vec::new();
    let end = load.end();
    while Instant::now() < end {
        memory.push(bench.running()?.resident_kib()?);
        std::thread::sleep(Duration::from_secs(1));
    }
    let rate = (bench.sent() - sent) / args.seconds.max(1);
    bench.settle()?;
    let verdict = judge(&bench, &reference)?;
    let growth = growth_kib(&memory);
    let at = |part: usize| memory[(memory.len() - 1) * part / 100];
    Ok(Row::new("fleet of boards", load.text(), &bench, verdict)
        .note("results/s", rate)
        .note("KiB at 10 %", at(10))
        .note("KiB at 50 %", at(50))
        .note("KiB at 100 %", at(100))
        .demand(growth <= args.growth_kib_max, || {
            format!("the daemon's memory grew by {growth} KiB in the second half")
        }))
}

fn load(args: &Args) -> Load {
    Load {
        boards: args.boards,
        seconds: args.seconds,
    }
}

/// From the tenth of the time that follows its half to the last tenth, by their means.
fn growth_kib(memory: &[u64]) -> u64 {
    let tenth = memory.len().div_ceil(10);
    let mean = |kib: &[u64]| kib.iter().sum::<u64>() / kib.len().max(1) as u64;
    let half = &memory[memory.len() / 2..];
    let (early, late) = (
        &half[..tenth.min(half.len())],
        &memory[memory.len() - tenth..],
    );
    mean(late).saturating_sub(mean(early))
}

#[cfg(test)]
mod tests {
    use super::growth_kib;

    #[test]
    fn growth_is_seen_through_noise_and_after_the_first_half() {
        let of = |kib: fn(u64) -> u64| growth_kib(&(0..600).map(kib).collect::<Vec<_>>());
        assert!(of(|at| 50_000 + at % 7 + 100 * at.min(300)) < 4);
        assert!((476..484).contains(&of(|at| 50_000 + at % 7 + 2 * at)));
        assert_eq!(growth_kib(&[]), 0);
        assert_eq!(growth_kib(&[5]), 0);
    }
}
