//! The `microtome` command: compile a model, run it on any executor, and serve an instrument.
//!
//! Results go to stdout (tables, or one JSON object with `--json`), progress and logs to stderr.
//! Exit status: 0 success, 1 the work failed, 2 usage.

mod array;
mod board_run;
mod calibration;
mod commands;
mod deviation;
mod executor;
mod inspection;
mod manifest;
mod model;
mod packing;
mod page;
mod port;
mod reference;
mod report;
mod time;
mod updatable;

use clap::{Parser, Subcommand};
use std::io::IsTerminal as _;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
#[command(version, about = "An inference runtime for laboratory instruments")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print one JSON object instead of tables
    #[arg(long, global = true)]
    json: bool,
    /// Say more on stderr (twice for debugging)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// How the log on stderr is written
    #[arg(long, global = true, value_enum, default_value = "text")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// The whole path on a shipped model and shipped samples; needs no hardware
    Demo(commands::demo::Args),
    /// Compile a trained model into a plan
    Compile(commands::compile::Args),
    /// What a model or plan costs: ops, shapes, scales, memory map
    Inspect(commands::inspect::Args),
    /// Run a model or plan on an executor
    Run(commands::run::Args),
    /// Run a model or plan on several executors and compare every output
    Compare(commands::compare::Args),
    /// Show which parts of an image a model's answer rests on
    Explain(commands::explain::Args),
    /// Latency on hosts, instructions on emulated boards
    Bench(commands::bench::Args),
    /// Build a board's firmware and start it with a plan
    Flash(commands::flash::Args),
    /// Make a pair of keys that update packages are signed with
    Keygen(commands::keygen::Args),
    /// Make an update package of a plan
    Pack(commands::pack::Args),
    /// Bring a plan to a board over its serial line
    Update(commands::update::Args),
    /// Tell a board whose signature its plans must have
    Trust(commands::trust::Args),
    /// Serve the instrument beside this computer
    Daemon(commands::daemon::Args),
    /// Verify a journal's chain of hashes, and name its first break
    Audit(commands::audit::Args),
    /// Write a journal's results in formats that other programs read
    Export(commands::export::Args),
    /// How long each leg of a journal's results took, what was dropped, and what drifted
    Latency(commands::latency::Args),
    /// Make a token for the daemon's HTTP API
    Token(commands::token::Args),
    /// List the boards that are supported
    Boards,
    /// List the serial devices that are plugged in
    Devices,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging(cli.verbose, cli.log_format);
    let json = cli.json;
    let done = match &cli.command {
        Command::Demo(args) => commands::demo::run(args, json),
        Command::Compile(args) => commands::compile::run(args, json),
        Command::Inspect(args) => commands::inspect::run(args, json),
        Command::Run(args) => commands::run::run(args, json),
        Command::Compare(args) => commands::compare::run(args, json),
        Command::Explain(args) => commands::explain::run(args, json),
        Command::Bench(args) => commands::bench::run(args, json),
        Command::Flash(args) => commands::flash::run(args, json),
        Command::Keygen(args) => commands::keygen::run(args, json),
        Command::Pack(args) => commands::pack::run(args, json),
        Command::Update(args) => commands::update::run(args, json),
        Command::Trust(args) => commands::trust::run(args, json),
        Command::Daemon(args) => commands::daemon::run(args, json),
        Command::Audit(args) => commands::audit::run(args, json),
        Command::Export(args) => commands::export::run(args, json),
        Command::Latency(args) => commands::latency::run(args, json),
        Command::Token(args) => commands::token::run(args, json),
        Command::Boards => commands::boards::run(json),
        Command::Devices => commands::devices::run(json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", in_one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, but for those that it names itself.
fn in_one_line(error: &anyhow::Error) -> String {
    error
        .chain()
        .skip(1)
        .map(ToString::to_string)
        .fold(error.to_string(), |text, cause| {
            if text.contains(&cause) {
                text
            } else {
                format!("{text}: {cause}")
            }
        })
}

/// Logs go to stderr; `RUST_LOG` overrides the flags.
fn start_logging(verbose: u8, format: LogFormat) {
    let default = match verbose {
        0 => "warn,microtome_daemon=info,microtome_api=info,microtome_journal=info,board=info",
        1 => "info,wgpu=warn,naga=warn,tract=warn",
        _ => "debug,wgpu=info,naga=info,tract=info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
}
