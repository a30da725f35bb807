//! `microtome export`: a journal's results, or the frames that it keeps, in formats that other
//! programs read.

use crate::report;
use crate::time;
use anyhow::{Context, Result};
use microtome_journal::{Filter, Format, FrameFormat, Reader, export, export_frames};
use serde::Serialize;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    /// The journal; a daemon may be writing to it
    journal: PathBuf,
    /// The format
    #[arg(long, value_enum)]
    format: FormatName,
    /// The file to write; a folder for frames
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
    /// The frames that are kept, as images: OME-TIFF files, one for each acquisition
    OmeTiff,
    /// The frames that are kept, as arrays in the shape and type of the model's input
    Npy,
}

#[derive(Serialize)]
struct TableJson<'a> {
    records: u64,
    output: &'a Path,
}

#[derive(Serialize)]
struct FramesJson<'a> {
    frames: u64,
    files: u64,
    frames_removed: u64,
    output: &'a Path,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let reader = Reader::open(&args.journal)?;
    let filter = Filter {
        device: args.device.clone(),
        from_us: args.from,
        until_us: args.until,
    };
    let output = &args.output;
    match args.format {
        FormatName::Jsonl => table(&reader, &filter, Format::Jsonl, output, json),
        FormatName::Csv => table(&reader, &filter, Format::Csv, output, json),
        FormatName::Parquet => table(&reader, &filter, Format::Parquet, output, json),
        FormatName::OmeTiff => frames(&reader, &filter, FrameFormat::OmeTiff, output, json),
        FormatName::Npy => frames(&reader, &filter, FrameFormat::Npy, output, json),
    }
}

fn table(
    reader: &Reader,
    filter: &Filter,
    format: Format,
    output: &Path,
    json: bool,
) -> Result<()> {
    let file = File::create(output);
    let file = file.with_context(|| format!("cannot write {}", output.display()))?;
    let records = export(reader, filter, format, BufWriter::new(file))?;
    if json {
        return report::json(&TableJson { records, output });
    }
    report::facts(&[
        ("results", report::grouped(records)),
        ("file", output.display().to_string()),
    ]);
    Ok(())
}

fn frames(
    reader: &Reader,
    filter: &Filter,
    format: FrameFormat,
    output: &Path,
    json: bool,
) -> Result<()> {
    let done = export_frames(reader, filter, format, output)?;
    if json {
        return report::json(&FramesJson {
            frames: done.frames,
            files: done.files,
            frames_removed: done.removed,
            output,
        });
    }
    report::facts(&[
        ("frames", report::grouped(done.frames)),
        ("files", report::grouped(done.files)),
        ("removed by retention", report::grouped(done.removed)),
        ("folder", output.display().to_string()),
    ]);
    Ok(())
}
