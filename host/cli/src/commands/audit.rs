//! `microtome audit`: whether a journal's chain of hashes holds, and where it breaks first.

use crate::report;
use anyhow::{Context, Result, bail};
use microtome_journal::{Hash, Reader, audit};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// The journal; a daemon may be writing to it
    journal: PathBuf,
    /// INDEX:HASH as an earlier audit gave it, which must still be in the chain
    #[arg(long, value_parser = noted)]
    noted: Option<(u64, Hash)>,
}

fn noted(text: &str) -> Result<(u64, Hash)> {
    let (index, hash) = text
        .split_once(':')
        .context("an index, a colon and a hash")?;
    Ok((index.parse()?, hash.parse()?))
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let found = audit(&Reader::open(&args.journal)?, args.noted)?;
    let last = (found.first + found.records)
        .checked_sub(1)
        .filter(|_| found.records > 0);
    if json {
        report::json(&found)?;
    } else {
        let noted = last.map(|index| format!("{index}:{}", found.head));
        report::facts(&[
            ("records that hold", report::grouped(found.records)),
            ("removed before them", report::grouped(found.first)),
            ("frames that hold", report::grouped(found.frames)),
            ("frames removed", report::grouped(found.frames_removed)),
            ("last one, to be noted", noted.unwrap_or_default()),
        ]);
    }
    let Some(broken) = found.broken else {
        return Ok(());
    };
    let device = broken.device.map(|device| format!(" of device {device}"));
    bail!(
        "the chain breaks at record {}{}: {}",
        broken.index,
        device.unwrap_or_default(),
        broken.difference
    );
}
