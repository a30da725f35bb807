//! What a `board.toml` holds; `firmware/boards/README.md` explains the keys to their authors.

use serde::Deserialize;

/// A board that the firmware runs on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Its name, which is that of its folder.
    pub name: String,
    /// One line about it.
    pub description: String,
    /// What its executor is built for.
    pub arch: String,
    /// How its image is built.
    pub firmware: Firmware,
    /// What memory it has.
    pub memory: Memory,
    /// Its clock.
    pub clock: Clock,
    /// How it is emulated on the host; a board of silicon is not.
    pub launch: Option<Launch>,
}

/// How an image is built.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Firmware {
    /// Cargo package, in the board's folder.
    pub package: String,
    /// Rust target; `None` is the host's own.
    pub target: Option<String>,
}

/// Memory of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Bytes of arena for the executor.
    pub arena_bytes: u64,
    /// Flash for the plan; `None` where the board takes a file.
    pub plan: Option<Slot>,
    /// Flash for the replay store; `None` where the board takes a file.
    pub replay: Option<Slot>,
    /// Bytes of the file that an emulated board has its flash for updates in; `None` where it makes
    /// the file itself, or has no such flash.
    pub flash_bytes: Option<u64>,
}

/// A part of flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Where it begins.
    pub address: u64,
    /// Its length.
    pub bytes: u64,
}

/// Clock of a board.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Ticks in a second of the board's messages.
    pub ticks_hz: u32,
    /// Instructions in a tick, where time is counted in instructions.
    pub instructions_per_tick: Option<f64>,
}

/// How a board is started on the host. In `program` and the arguments `{image}`, `{plan}`,
/// `{replay}`, `{flash}`, `{serial}` and `{pins}` stand for paths.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    /// What emulates it.
    pub kind: LaunchKind,
    /// What its serial line is.
    pub serial: SerialKind,
    /// What is started.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// More of them, where there is a plan.
    pub args_plan: Vec<String>,
    /// More of them, where there is a replay store.
    pub args_replay: Vec<String>,
    /// More of them, where its pins are to be written down; empty where they can not be.
    #[serde(default)]
    pub args_pins: Vec<String>,
    /// More of them, where it is to have flash for updates; `None` where it can have none.
    pub args_flash: Option<Vec<String>>,
}

/// What emulates a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LaunchKind {
    /// Nothing: its image is a program of the host.
    Process,
    /// QEMU.
    Qemu,
}

/// What the serial line of an emulated board is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SerialKind {
    /// A socket `{serial}` on which the board listens.
    Unix,
    /// A device whose path the board prints.
    Pty,
}
