//! A board whose plan can be updated: how the command line names it, and how it stands.

use crate::board_run::{self, Connected};
use crate::commands::run::hex;
use crate::report;
use anyhow::Result;
use microtome_board::{Board, LaunchOptions, Running, launch};
use microtome_daemon::DeviceLog;
use microtome_daemon::session::{Fault, Session, SessionError};
use microtome_daemon::transport::BAUD_DEFAULT;
use microtome_daemon::update::{Port, SerialPort};
use microtome_link::message::Identity;
use microtome_link::update::{PlanSource, RolledBack, UpdateState};
use serde::Serialize;
use std::path::PathBuf;

/// The board: on a serial device, or emulated.
#[derive(clap::Args)]
#[group(skip)]
pub struct Args {
    /// The board's serial device
    #[arg(long, value_name = "PATH", required_unless_present = "board")]
    port: Option<PathBuf>,
    /// Bits a second of the serial device
    #[arg(long, default_value_t = BAUD_DEFAULT)]
    baud: u32,
    /// An emulated board, started for this
    #[arg(long, value_parser = microtome_board::find, requires = "flash", conflicts_with = "port")]
    board: Option<&'static Board>,
    /// The file that holds the emulated board's flash
    #[arg(long, value_name = "FILE", requires = "board")]
    flash: Option<PathBuf>,
    /// The emulated board's image, instead of one that is built from the checkout
    #[arg(long, value_name = "FILE", requires = "board")]
    firmware: Option<PathBuf>,
}

impl Args {
    /// Where sessions with the board come from.
    pub fn port(&self) -> Result<CliPort> {
        if let (Some(board), Some(flash)) = (self.board, &self.flash) {
            return Ok(CliPort::Emulated(Emulated {
                board,
                image: board_run::locate(board, self.firmware.as_deref())?,
                flash: flash.clone(),
                running: None,
            }));
        }
        let path = self.port.clone().unwrap_or_default();
        let log = DeviceLog::new(&path.display().to_string());
        let baud = self.baud;
        Ok(CliPort::Serial(SerialPort { path, baud, log }))
    }
}

/// Where sessions with a board come from.
pub enum CliPort {
    /// A serial device.
    Serial(SerialPort),
    /// An emulated board.
    Emulated(Emulated),
}

/// An emulated board. It is started for each session, with what is in its flash.
pub struct Emulated {
    board: &'static Board,
    image: PathBuf,
    flash: PathBuf,
    running: Option<Running>,
}

impl Port for CliPort {
    async fn open(&mut self) -> Result<Session, SessionError> {
        match self {
            Self::Serial(port) => port.open().await,
            Self::Emulated(board) => board.open().await.map_err(|error| {
                error.downcast().unwrap_or_else(|error| SessionError {
                    device: board.board.name.clone(),
                    fault: Fault::Vanished(format!("{error:#}")),
                })
            }),
        }
    }
}

impl Emulated {
    async fn open(&mut self) -> Result<Session> {
        // One board at a time has the flash.
        self.running = None;
        let options = LaunchOptions {
            flash: Some(&self.flash),
            ..LaunchOptions::default()
        };
        let running = launch(self.board, &self.image, &options)?;
        let connected = Connected::new(running, &self.image).await?;
        self.running = Some(connected.running);
        Ok(connected.session)
    }
}

/// How a board stands, for people and programs.
#[derive(Serialize)]
pub struct State {
    board: String,
    unit: String,
    firmware: String,
    model: String,
    plan_hash: String,
    plan_fault: Option<String>,
    source: &'static str,
    release: u64,
    confirmed: bool,
    release_confirmed: u64,
    key: Option<String>,
    slot_bytes: u32,
    rolled_back: Option<String>,
}

impl State {
    /// The state of the board with this identity.
    pub fn new(identity: &Identity, state: &UpdateState) -> Self {
        Self {
            board: identity.board.as_str().to_owned(),
            unit: identity.unit.as_str().to_owned(),
            firmware: identity.firmware.as_str().to_owned(),
            model: identity.model.as_str().to_owned(),
            plan_hash: hex(&identity.plan),
            plan_fault: (identity.plan_fault.as_ref()).map(|fault| fault.as_str().to_owned()),
            source: match state.source {
                PlanSource::Factory => "factory",
                PlanSource::A => "a",
                PlanSource::B => "b",
            },
            release: state.release,
            confirmed: state.is_confirmed,
            release_confirmed: state.release_confirmed,
            key: state.key.map(|key| hex(&key)),
            slot_bytes: state.slot_bytes,
            rolled_back: state.rolled_back.map(rolled_back),
        }
    }

    /// Prints it.
    pub fn print(&self, json: bool) -> Result<()> {
        if json {
            return report::json(self);
        }
        let none = || "none".to_owned();
        let unit = if self.unit.is_empty() { "" } else { " " };
        report::facts(&[
            ("board", format!("{}{unit}{}", self.board, self.unit)),
            ("firmware", self.firmware.clone()),
            ("model", self.model.clone()),
            (
                "plan",
                self.plan_fault
                    .clone()
                    .unwrap_or_else(|| self.plan_hash.clone()),
            ),
            ("release", self.release_text()),
            ("trusted key", self.key.clone().unwrap_or_else(none)),
            (
                "room for a package",
                format!("{} B", report::grouped(self.slot_bytes)),
            ),
            (
                "went back",
                self.rolled_back.clone().unwrap_or_else(|| "no".to_owned()),
            ),
        ]);
        Ok(())
    }

    fn release_text(&self) -> String {
        let Self {
            release,
            source,
            release_confirmed,
            ..
        } = self;
        match (*source, self.confirmed) {
            ("factory", _) => format!("as flashed (last update: {release_confirmed})"),
            (_, true) => format!("{release} in slot {source}"),
            (_, false) => format!("{release} in slot {source}, not confirmed"),
        }
    }
}

/// Why a board has gone back to an earlier plan.
fn rolled_back(why: RolledBack) -> String {
    match why {
        RolledBack::Unconfirmed { release } => {
            format!("the board started anew before release {release} was confirmed")
        }
        RolledBack::Unusable { release } => {
            format!("release {release} can not be run by this firmware; the board's log says why")
        }
        RolledBack::Aborted { release } => format!("release {release} was given up"),
        RolledBack::RecordLost => {
            "the record of updates can not be read: flash the board anew".to_owned()
        }
    }
}
