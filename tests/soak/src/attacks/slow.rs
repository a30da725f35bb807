//! A daemon that stands still: a host that is busy, swaps, or sleeps.

use crate::attacks::Load;
use crate::bench::{Bench, Setup, Wishes};
use crate::judge::judge;
use crate::reference::Reference;
use crate::report::Row;
use anyhow::Result;
use oorandom::Rand64;
use std::time::{Duration, Instant};

/// For how long, and how often.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Boards and time
    #[command(flatten)]
    pub load: Load,
    /// Longest standstill in milliseconds
    #[arg(long, default_value_t = 3000)]
    pub stop_ms_max: u64,
}

/// Longest time between two standstills.
const WORK_MS_MAX: u64 = 500;

/// Attacks.
///
/// # Errors
/// When the attack could not be made or judged.
pub fn run(setup: &Setup, args: &Args) -> Result<Row> {
    let reference = Reference::take(setup)?;
    let mut bench = Bench::new(setup, Wishes::boards(args.load.boards))?;
    let mut random = Rand64::new(setup.seed.into());
    let mut pause = |most_ms| {
        std::thread::sleep(Duration::from_millis(random.rand_range(1..most_ms)));
    };
    bench.start_daemon()?;
    bench.wait_for_all()?;
    let (end, mut stops) = (args.load.end(), 0);
    while Instant::now() < end {
        bench.running()?.freeze()?;
        stops += 1;
        pause(args.stop_ms_max);
        bench.running()?.thaw()?;
        pause(WORK_MS_MAX);
    }
    bench.settle()?;
    let verdict = judge(&bench, &reference)?;
    Ok(Row::new("slow host", args.load.text(), &bench, verdict).with("SIGSTOP", stops))
}
