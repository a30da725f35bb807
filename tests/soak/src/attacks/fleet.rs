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
    /// KiB by which the daemon's memory may grow in an hour, by its line of regression
    #[arg(long, default_value_t = 6 * 1024)]
    pub growth_kib_per_h_max: u64,
}

/// Seconds after the last board was connected in which memory may still grow.
const WARM_UP: Duration = Duration::from_secs(10);

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
    let (load, sent, begun) = (load(args), bench.sent(), Instant::now());
    let mut memory = Vec::new();
    let end = load.end();
    while Instant::now() < end {
        memory.push((begun.elapsed(), bench.running()?.resident_kib()?));
        std::thread::sleep(Duration::from_secs(1));
    }
    let rate = (bench.sent() - sent) / args.seconds.max(1);
    bench.settle()?;
    let verdict = judge(&bench, &reference)?;
    let growth = growth_kib_per_h(&memory);
    let at = |part: usize| memory[(memory.len() - 1) * part / 100].1;
    Ok(Row::new("fleet of boards", load.text(), &bench, verdict)
        .note("results/s", rate)
        .note("KiB at 10 %", at(10))
        .note("KiB at 50 %", at(50))
        .note("KiB at 100 %", at(100))
        .note("KiB/h growth", growth.max(0.0) as u64)
        .demand(growth <= args.growth_kib_per_h_max as f64, || {
            format!("the daemon's memory grows by {growth:.0} KiB an hour")
        }))
}

fn load(args: &Args) -> Load {
    Load {
        boards: args.boards,
        seconds: args.seconds,
    }
}

/// Slope of the line of regression after the warm-up; 0 where there is too little for one.
fn growth_kib_per_h(memory: &[(Duration, u64)]) -> f64 {
    let late = memory.iter().filter(|(at, _)| *at >= WARM_UP);
    let points: Vec<(f64, f64)> = late
        .map(|&(at, kib)| (at.as_secs_f64() / 3600.0, kib as f64))
        .collect();
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|it| it.0), mean(|it| it.1));
    let covariance: f64 = points.iter().map(|it| (it.0 - x) * (it.1 - y)).sum();
    let variance: f64 = points.iter().map(|it| (it.0 - x).powi(2)).sum();
    if variance > 0.0 {
        covariance / variance
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::growth_kib_per_h;
    use std::time::Duration;

    #[test]
    fn growth_is_seen_through_noise_and_after_the_warm_up() {
        let of = |kib: fn(u64) -> u64| {
            let memory: Vec<_> = (0..600)
                .map(|at| (Duration::from_secs(at), kib(at)))
                .collect();
            growth_kib_per_h(&memory)
        };
        assert!(of(|at| 50_000 + at % 7 + 5_000 * at.min(9)).abs() < 60.0);
        assert!((of(|at| 50_000 + at % 7 + 2 * at) - 7200.0).abs() < 60.0);
        assert_eq!(growth_kib_per_h(&[]), 0.0);
    }
}
