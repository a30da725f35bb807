//! `microtome export`: a journal's results in formats that other programs read.

use crate::report;
use crate::time;
use anyhow::{Context, Result};
use microtome_journal::{Filter, Format, Reader, export};
use serde::Serialize;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// The journal; a daemon may be writing to it
    journal: PathBuf,
    /// The format of the file
    #[arg(long, value_enum)]
    format: FormatName,
    /// The file to write
    #[arg(short, long)]
    output: PathBuf,
    /// Only the results of this device
    #[arg(long)]
    device: Option<String>,
    /// Only results received at this time or later, such as 2026-11-28T09:30:00Z
    #[arg(long, value_parser = time::unix_us)]
    from: Option<u64>,
    /// Only results received before this time
    #[arg(long, value_parser = time::unix_us)]
    until: Option<u64>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum FormatName {
    /// One JSON object a line: all there is
    Jsonl,
    /// Comma-separated values
    Csv,
    /// Apache Parquet, with the columns of CSV
    Parquet,
}

#[derive(Serialize)]
struct Json<'a> {
    records: u64,
    output: &'a PathBuf,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let reader = Reader::open(&args.journal)?;
    let filter = Filter {
        device: args.device.clone(),
        from_us: args.from,
        until_us: args.until,
    };
    let format = match args.format {
        FormatName::Jsonl => Format::Jsonl,
        FormatName::Csv => Format::Csv,
        FormatName::Parquet => Format::Parquet,
    };
    let output = &args.output;
    let file = File::create(output);
    let file = file.with_context(|| format!("cannot write {}", output.display()))?;
    let records = export(&reader, &filter, format, BufWriter::new(file))?;
    if json {
        return report::json(&Json { records, output });
    }
    report::facts(&[
        ("results", report::grouped(records)),
        ("file", output.display().to_string()),
    ]);
    Ok(())
}
