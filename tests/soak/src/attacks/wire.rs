//! Bad wires.

use crate::attacks::Load;
use crate::bench::{Bench, Setup, Wishes};
use crate::daemon::POLL;
use crate::damage::Rates;
use crate::judge::judge;
use crate::reference::Reference;
use crate::report::Row;
use anyhow::Result;
use std::time::Instant;

/// How bad, and for how long.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Boards and time
    #[command(flatten)]
    pub load: Load,
    /// What the wires do
    #[command(flatten)]
    pub rates: Rates,
}

/// Attacks.
///
/// # Errors
/// When the attack could not be made or judged.
pub fn run(setup: &Setup, args: &Args) -> Result<Row> {
    let reference = Reference::take(setup)?;
    let mut bench = Bench::new(setup, Wishes::boards(args.load.boards))?;
    bench.set_rates(args.rates);
    bench.start_daemon()?;
    let end = args.load.end();
    while Instant::now() < end {
        bench.running()?;
        std::thread::sleep(POLL);
    }
    bench.settle()?;
    let verdict = judge(&bench, &reference)?;
    let load = format!("{}, {}", setup.board, args.load.text());
    Ok(Row::new("wire", load, &bench, verdict))
}
