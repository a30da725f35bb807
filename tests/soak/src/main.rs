//! `cargo xtask soak …`: an attack on real boards and a real daemon. `docs/reliability.md` has the
//! results of long ones.

use clap::{Parser, Subcommand};
use microtome_soak::{Attack, Row, Setup, report};
use std::process::ExitCode;

#[derive(Parser)]
#[command(version, about = "Tasks of the project's developers")]
struct Tasks {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Attack boards, wires, disks, clocks and daemons, and count what is lost, double or wrong
    Soak(Soak),
}

#[derive(clap::Args)]
struct Soak {
    #[command(flatten)]
    setup: Setup,
    /// Print one JSON object instead of a table
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    attack: Attack,
}

fn main() -> ExitCode {
    let Task::Soak(soak) = Tasks::parse().task;
    match soak.attack.run(&soak.setup) {
        Ok(row) => {
            report::print(&row, soak.json);
            if row.is_clean() {
                ExitCode::SUCCESS
            } else {
                eprintln!("error: {}", fault(&row));
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn fault(row: &Row) -> String {
    row.first_fault
        .clone()
        .unwrap_or_else(|| "the attack succeeded".to_owned())
}
