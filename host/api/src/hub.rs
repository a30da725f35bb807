//! What the daemon tells of its devices, and what it is asked to do with them.
//!
//! The daemon adds its devices and tells each [`Device`] what happens to it; requests read that.
//! The other way there are two things. What acquisition and offload ought to be is a wish that
//! stays ([`Wanted`]), so that it holds over a lost line and may be uttered twice. What a device
//! is to do once is a [`Command`], which waits for its answer.
//!
//! All of this is bounded: a device has the newest state alone, counts, and room for
//! [`COMMANDS_MAX`] commands. Results do not pass here, only the news that there are some: who
//! wants them reads the journal.

use crate::counts::Counts;
use crate::metrics::{DeviceMetrics, Metrics};
use microtome_journal::Hash;
use microtome_journal::record::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot, watch};
use utoipa::ToSchema;

/// Commands of one device that wait at most.
pub const COMMANDS_MAX: usize = 4;

/// Where a device is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum State {
    /// There is no session with it; the daemon tries again.
    Trying {
        /// What kept the last attempt from succeeding; empty before the first one.
        why: String,
    },
    /// There is a session, and the device acquires.
    Acquiring,
    /// Acquisition is switched off; the device's line is closed, and free for other programs.
    Idle,
    /// It has acquired all the frames that it was to, or the daemon ends.
    Ended,
}

/// A board as it introduced itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Board {
    /// Name of the board.
    pub board: String,
    /// What tells it from others of its kind; empty where it has no such thing.
    pub unit: String,
    /// Version of its firmware.
    pub firmware: String,
    /// Name of its model.
    pub model: String,
    /// Hash of its plan.
    #[schema(value_type = String)]
    pub plan: Hash,
    /// Why its plan can not be run, if that is so.
    pub plan_fault: Option<String>,
    /// Its start, as records have it.
    pub boot: String,
}

/// What a device ought to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Wanted {
    /// Whether it acquires.
    pub acquire: bool,
    /// Whether its board may ask the heavier model.
    pub offload: bool,
}

/// A device as it is at present.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Status {
    /// The user's name of it.
    pub name: String,
    /// Where it is looked for: the path of its serial device, or what USB tells of it.
    pub place: String,
    /// Where it is.
    pub state: State,
    /// Since when, in microseconds since 1970, UTC.
    pub since_us: u64,
    /// Its board, if it ever introduced itself.
    pub board: Option<Board>,
    /// What it ought to do.
    pub wanted: Wanted,
    /// Whether the host can answer its board at all.
    pub can_offload: bool,
    /// Sessions since the daemon began.
    pub sessions: u64,
    /// What it acquired since the daemon began.
    pub results: Counts,
}

/// What a device is to do once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// To take an update package.
    Update(Vec<u8>),
}

/// A command, and who waits for its outcome.
#[derive(Debug)]
pub struct Request {
    /// What is to be done.
    pub command: Command,
    /// Where it is said what became of it, for people.
    pub reply: oneshot::Sender<Result<String, CommandError>>,
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no session with the device.
    #[error("the device is not connected")]
    Disconnected,
    /// Other commands wait for it.
    #[error("{COMMANDS_MAX} commands wait for the device already")]
    Busy,
    /// The device refused it.
    #[error("{0}")]
    Refused(String),
}

/// What changes of a device.
#[derive(Debug)]
struct Seen {
    state: State,
    since_us: u64,
    board: Option<Board>,
    sessions: u64,
    results: Counts,
}

/// A device, as the daemon and requests share it.
#[derive(Debug)]
pub struct Device {
    name: String,
    place: String,
    can_offload: bool,
    seen: Mutex<Seen>,
    acquire: watch::Sender<bool>,
    offload: watch::Sender<bool>,
    commands: mpsc::Sender<Request>,
    recorded: watch::Sender<u64>,
    metrics: DeviceMetrics,
}

impl Device {
    /// The user's name of it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// There is no session, and why.
    pub fn trying(&self, why: String) {
        self.enter(State::Trying { why });
    }

    /// There is a session, and the device acquires.
    pub fn acquiring(&self, board: Board) {
        self.enter(State::Acquiring);
        let mut seen = self.seen();
        seen.board = Some(board);
        seen.sessions += 1;
    }

    /// Acquisition is switched off.
    pub fn idle(&self) {
        self.enter(State::Idle);
    }

    /// The daemon has done with it.
    pub fn ended(&self) {
        self.enter(State::Ended);
    }

    /// The journal has a result for good.
    pub fn recorded(&self, record: &Record) {
        self.seen().results.count(record);
        let waited = unix_us().saturating_sub(record.host_time_us);
        self.metrics
            .observe(&record.latency_us, Duration::from_micros(waited));
        self.recorded.send_modify(|count| *count += 1);
    }

    /// So many more frames have no result.
    pub fn lost(&self, frames: u64) {
        self.seen().results.lost += frames;
    }

    /// Whether it ought to acquire, now and later.
    pub fn acquire(&self) -> watch::Receiver<bool> {
        self.acquire.subscribe()
    }

    /// Whether its board may ask the heavier model, now and later.
    pub fn offload(&self) -> watch::Receiver<bool> {
        self.offload.subscribe()
    }

    /// Changes whether it ought to acquire.
    pub(crate) fn set_acquire(&self, acquire: bool) {
        set(&self.acquire, acquire);
    }

    /// Changes whether its board may ask.
    pub(crate) fn set_offload(&self, offload: bool) {
        set(&self.offload, offload);
    }

    /// Has a command carried out.
    pub(crate) async fn carry_out(&self, command: Command) -> Result<String, CommandError> {
        let (reply, outcome) = oneshot::channel();
        let sent = self.commands.try_send(Request { command, reply });
        sent.map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CommandError::Busy,
            mpsc::error::TrySendError::Closed(_) => CommandError::Disconnected,
        })?;
        outcome.await.unwrap_or(Err(CommandError::Disconnected))
    }

    /// How it is at present.
    pub fn status(&self) -> Status {
        let seen = self.seen();
        Status {
            name: self.name.clone(),
            place: self.place.clone(),
            state: seen.state.clone(),
            since_us: seen.since_us,
            board: seen.board.clone(),
            wanted: Wanted {
                acquire: *self.acquire.borrow(),
                offload: *self.offload.borrow(),
            },
            can_offload: self.can_offload,
            sessions: seen.sessions,
            results: seen.results,
        }
    }

    fn enter(&self, state: State) {
        let mut seen = self.seen();
        if seen.state != state {
            (seen.state, seen.since_us) = (state, unix_us());
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All devices of a daemon, and its journal.
#[derive(Debug)]
pub struct Hub {
    journal: PathBuf,
    devices: BTreeMap<String, Arc<Device>>,
    recorded: watch::Sender<u64>,
    pub(crate) metrics: Metrics,
}

impl Hub {
    /// The hub of a daemon whose build is `build` and whose results are in the journal at
    /// `journal`.
    pub fn new(journal: &Path, build: &str) -> Self {
        Self {
            journal: journal.to_owned(),
            devices: BTreeMap::new(),
            recorded: watch::Sender::new(0),
            metrics: Metrics::new(build),
        }
    }

    /// Adds a device; the commands that it gets come from the receiver.
    pub fn add(
        &mut self,
        name: &str,
        place: &str,
        wanted: Wanted,
        can_offload: bool,
    ) -> (Arc<Device>, mpsc::Receiver<Request>) {
        let (commands, requests) = mpsc::channel(COMMANDS_MAX);
        let device = Arc::new(Device {
            name: name.to_owned(),
            place: place.to_owned(),
            can_offload,
            seen: Mutex::new(Seen {
                state: State::Trying { why: String::new() },
                since_us: unix_us(),
                board: None,
                sessions: 0,
                results: Counts::default(),
            }),
            acquire: watch::Sender::new(wanted.acquire),
            offload: watch::Sender::new(wanted.offload),
            commands,
            recorded: self.recorded.clone(),
            metrics: self.metrics.device(name),
        });
        self.devices.insert(name.to_owned(), Arc::clone(&device));
        (device, requests)
    }

    /// Where the results are.
    pub fn journal(&self) -> &Path {
        &self.journal
    }

    /// The devices, by name.
    pub fn devices(&self) -> impl Iterator<Item = &Arc<Device>> {
        self.devices.values()
    }

    /// The device with this name.
    pub fn device(&self, name: &str) -> Option<&Arc<Device>> {
        self.devices.get(name)
    }

    /// How many results were recorded since the daemon began, and when there is another one.
    pub(crate) fn recorded(&self) -> watch::Receiver<u64> {
        self.recorded.subscribe()
    }
}

fn set(switch: &watch::Sender<bool>, wanted: bool) {
    switch.send_if_modified(|is| std::mem::replace(is, wanted) != wanted);
}

/// Microseconds since 1970, UTC.
fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let us = since.unwrap_or_default().as_micros();
    u64::try_from(us).unwrap_or(u64::MAX)
}
