//! The attacks, one a file.

pub mod clock;
pub mod disk;
pub mod fleet;
pub mod flood;
pub mod kill;
pub mod slow;
pub mod wire;

use crate::bench::Setup;
use crate::report::Row;
use anyhow::Result;
use std::time::{Duration, Instant};

/// An attack, with its force.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Attack {
    /// Bad wires: flipped bits, lost bytes, doubled and cut bursts, garbage, stalls, pulled cables
    Wire(wire::Args),
    /// Many boards as fast as they can; the daemon's memory must not grow
    FleetOfBoards(fleet::Args),
    /// The daemon is killed (SIGKILL) again and again
    KillDaemon(kill::Args),
    /// Boards are killed again and again
    KillBoard(kill::Args),
    /// The daemon and boards are killed, each at its own moments
    KillBoth(kill::Args),
    /// The disk is full, and later is not
    DiskFull(disk::Args),
    /// The host's clock is set, forwards and backwards
    ClockSteps(clock::Args),
    /// The daemon stands still now and then
    SlowHost(slow::Args),
    /// Devices that send garbage or frames without end, or never read
    Flood(flood::Args),
}

impl Attack {
    /// Attacks, and tells what came of it.
    ///
    /// # Errors
    /// When the attack could not be made or judged.
    pub fn run(&self, setup: &Setup) -> Result<Row> {
        match self {
            Self::Wire(args) => wire::run(setup, args),
            Self::FleetOfBoards(args) => fleet::run(setup, args),
            Self::KillDaemon(args) => kill::run(setup, args, kill::Victims::Daemon),
            Self::KillBoard(args) => kill::run(setup, args, kill::Victims::Boards),
            Self::KillBoth(args) => kill::run(setup, args, kill::Victims::Both),
            Self::DiskFull(args) => disk::run(setup, args),
            Self::ClockSteps(args) => clock::run(setup, args),
            Self::SlowHost(args) => slow::run(setup, args),
            Self::Flood(args) => flood::run(setup, args),
        }
    }
}

/// Boards and time, which most attacks have.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Load {
    /// Boards
    #[arg(long, default_value_t = 4)]
    pub boards: usize,
    /// Seconds
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
}

impl Load {
    fn text(self) -> String {
        format!("{} boards, {} s", self.boards, self.seconds)
    }

    fn end(self) -> Instant {
        Instant::now() + Duration::from_secs(self.seconds)
    }
}
