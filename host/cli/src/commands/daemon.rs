//! `microtome daemon`: serves the instruments of this computer until it is told to end.

use crate::report;
use anyhow::Result;
use microtome_daemon::{Config, run as serve, stop};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// Configuration; docs/daemon.md describes it
    #[arg(long, default_value = "microtome.toml")]
    config: PathBuf,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let config = Config::load(&args.config)?;
    let summary = tokio::runtime::Runtime::new()?.block_on(async {
        let (stopper, stop) = stop();
        stopper.on_signals()?;
        Ok::<_, anyhow::Error>(serve(&config, stop).await?)
    })?;
    if json {
        return report::json(&summary);
    }
    report::facts(&[
        ("frames", summary.frames.to_string()),
        ("answered on a board", summary.on_board.to_string()),
        ("answered by a heavier model", summary.offloaded.to_string()),
        ("lost", summary.lost.to_string()),
        ("exposures missed", summary.missed.to_string()),
        ("journal", config.journal.display().to_string()),
    ]);
    Ok(())
}
