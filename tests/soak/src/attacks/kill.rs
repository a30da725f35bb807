//! Daemon and boards killed at random moments.

use crate::bench::{Bench, Setup, Wishes};
use crate::judge::judge;
use crate::reference::Reference;
use crate::report::Row;
use anyhow::Result;
use oorandom::Rand64;
use std::time::Duration;

/// How often.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Kills
    #[arg(default_value_t = 200)]
    pub kills: u32,
    /// Boards
    #[arg(long, default_value_t = 8)]
    pub boards: usize,
}

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victims {
    /// The daemon.
    Daemon,
    /// Boards.
    Boards,
    /// One or the other, or both at once.
    Both,
}

/// Longest time from the first results to the kill.
const AT_WORK_MS_MAX: u64 = 300;
/// Longest time from the daemon's start to the kill, where that is to hit it starting.
const STARTING_MS_MAX: u64 = 60;

/// Attacks.
///
/// # Errors
/// When the attack could not be made or judged.
pub fn run(setup: &Setup, args: &Args, victims: Victims) -> Result<Row> {
    let reference = Reference::take(setup)?;
    let wishes = Wishes {
        keeps_frames: true,
        ..Wishes::boards(args.boards)
    };
    let mut bench = Bench::new(setup, wishes)?;
    let mut random = Rand64::new(setup.seed.into());
    let (mut daemons, mut boards) = (0, 0);
    bench.start_daemon()?;
    for _ in 0..args.kills {
        let (daemon, board) = match victims {
            Victims::Daemon => (true, false),
            Victims::Boards => (false, true),
            Victims::Both => {
                [(true, false), (false, true), (true, true)][random.rand_range(0..3) as usize]
            }
        };
        let most_ms = if board {
            AT_WORK_MS_MAX
        } else if random.rand_range(0..4) == 0 {
            STARTING_MS_MAX
        } else {
            bench.wait_for_all()?;
            AT_WORK_MS_MAX
        };
        let victim = if board {
            Some(bench.wait_for_one(random.rand_u64())?)
        } else {
            None
        };
        std::thread::sleep(Duration::from_millis(random.rand_range(0..most_ms)));
        if let Some(station) = victim {
            bench.cut_power(station);
            boards += 1;
        }
        if daemon {
            bench.running()?.kill()?;
            daemons += 1;
        }
        if let Some(station) = victim {
            bench.power(station)?;
        }
        if daemon {
            bench.start_daemon()?;
        }
    }
    bench.settle()?;
    let verdict = judge(&bench, &reference)?;
    let test = match victims {
        Victims::Daemon => "kill the daemon",
        Victims::Boards => "kill boards",
        Victims::Both => "kill daemon and boards",
    };
    let load = format!("{}, {} boards", setup.board, args.boards);
    let row = Row::new(test, load, &bench, verdict)
        .with("kill -9 of the daemon", daemons)
        .with("kill -9 of a board", boards);
    Ok(row)
}
