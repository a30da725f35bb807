//! Boards as data: what there is, how an image is come by, and how a board is emulated.
//!
//! In the order of use: [`boards`] and [`find`] (every `firmware/boards/*/board.toml`, embedded
//! when this is built, so that a new board is a new folder and no line here), [`image`] (given by
//! the user or built from the checkout), [`replay`] (the frames that a replay sensor shows) and
//! [`launch`](mod@launch) (the board as a child process with a serial line). [`devices`] lists the
//! serial devices that are plugged in.
//!
//! Talking to a board is left to `microtome-daemon`.
#![deny(missing_docs)]

mod descriptor;
pub mod devices;
pub mod image;
pub mod launch;
pub mod replay;

pub use descriptor::{Board, Clock, Firmware, Launch, LaunchKind, Memory, SerialKind, Slot};
pub use devices::{Device, devices};
pub use image::ImageError;
pub use launch::{LaunchError, LaunchOptions, Running, launch};

use std::sync::LazyLock;

const DESCRIPTORS: &[&str] = include!(concat!(env!("OUT_DIR"), "/boards.rs"));

static BOARDS: LazyLock<Vec<Board>> = LazyLock::new(|| {
    let parse = |text: &&str| toml::from_str(text).expect("build.rs has parsed it");
    DESCRIPTORS.iter().map(parse).collect()
});

/// No board has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no board is called {name:?}; there are {known}")]
pub struct UnknownBoard {
    /// What was asked for.
    pub name: String,
    /// The names that there are.
    pub known: String,
}

/// Every board, by name.
pub fn boards() -> &'static [Board] {
    &BOARDS
}

/// The board with this name.
///
/// # Errors
/// [`UnknownBoard`] lists the names that there are.
pub fn find(name: &str) -> Result<&'static Board, UnknownBoard> {
    boards()
        .iter()
        .find(|board| board.name == name)
        .ok_or_else(|| UnknownBoard {
            name: name.to_owned(),
            known: boards()
                .iter()
                .map(|board| &*board.name)
                .collect::<Vec<_>>()
                .join(", "),
        })
}

impl Board {
    /// Instructions in that many ticks; `None` where the board's clock does not count them.
    pub fn instructions(&self, ticks: u64) -> Option<u64> {
        let per_tick = self.clock.instructions_per_tick?;
        Some((ticks as f64 * per_tick).round() as u64)
    }

    /// Whether the host can emulate it.
    pub fn is_emulated(&self) -> bool {
        self.launch.is_some()
    }
}
