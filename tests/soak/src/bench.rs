//! Boards, wires and a daemon, as an attack wants them.

use crate::daemon::{Daemon, POLL};
use crate::damage::{Faults, Rates};
use crate::frames;
use crate::pty;
use crate::wire::Wire;
use anyhow::{Context as _, Result, bail, ensure};
use microtome_board::{Board, LaunchOptions, Running, image, launch};
use microtome_plan::PlanBuf;
use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Every board has results stored by then, once its wire is good.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(240);

/// Acknowledgements from which on a board is at work.
const ACKNOWLEDGED_MIN: u64 = 3;

/// With what an attack is made.
#[derive(Clone, Debug, clap::Args)]
pub struct Setup {
    /// The command; without it, the one beside this program
    #[arg(long, global = true)]
    pub microtome: Option<PathBuf>,
    /// The boards
    #[arg(long, global = true, default_value = "sim")]
    pub board: String,
    /// Their image, instead of one that is built from the checkout
    #[arg(long, global = true)]
    pub firmware: Option<PathBuf>,
    /// Faults and moments; the same seed gives the same ones
    #[arg(long, global = true, default_value_t = 1)]
    pub seed: u64,
    /// A folder for plans, logs and the journal, which stay there
    #[arg(long, global = true)]
    pub keep: Option<PathBuf>,
}

impl Setup {
    /// The root of the checkout.
    fn root() -> Result<&'static Path> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.ancestors().nth(2).context("this is no checkout")
    }

    /// Where the command is.
    ///
    /// # Errors
    /// When it is not there.
    pub fn command(&self) -> Result<PathBuf> {
        let beside = || Ok(std::env::current_exe()?.with_file_name("microtome"));
        let path = self
            .microtome
            .clone()
            .map_or_else(beside, Ok::<_, anyhow::Error>)?;
        ensure!(
            path.is_file(),
            "there is no {}: build it (cargo build --release --workspace) or give --microtome",
            path.display()
        );
        Ok(path)
    }
}

/// How the daemon is configured, and what is special about how it is started.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Boards.
    pub boards: usize,
    /// Every so-manieth of them may ask the heavier model; 0 is none.
    pub asks_every: usize,
    /// Frames that each acquires; 0 goes on.
    pub frames: u32,
    /// Milliseconds that it waits for an answer.
    pub deadline_ms: u32,
    /// Where the journal is, if not in the bench's folder.
    pub journal: Option<PathBuf>,
    /// Days after which results are removed.
    pub age_max_days: Option<u32>,
    /// Whether the frames that boards ask about are kept.
    pub keeps_frames: bool,
    /// Further devices, by path.
    pub strangers: Vec<PathBuf>,
    /// Environment of the daemon.
    pub environment: Vec<(&'static str, String)>,
    /// Whether the daemon is not ended by the signal that a file is too long.
    pub outlives_file_limit: bool,
}

impl Wishes {
    /// So many boards, of which every second one may ask.
    pub fn boards(boards: usize) -> Self {
        Self {
            boards,
            asks_every: 2,
            deadline_ms: 200,
            ..Self::default()
        }
    }
}

/// A board at its wire.
pub struct Station {
    /// How the daemon calls it.
    pub name: String,
    /// The wire.
    pub wire: Wire,
    running: Option<Running>,
    /// Acknowledgements before it, or the daemon, was started last.
    begun: u64,
}

impl Station {
    fn begin(&mut self) {
        self.begun = self.wire.seen().truth.acknowledgements;
    }

    fn works(&self) -> bool {
        self.wire.seen().truth.acknowledgements >= self.begun + ACKNOWLEDGED_MIN
    }
}

/// All that an attack attacks.
pub struct Bench {
    folder: PathBuf,
    command: PathBuf,
    board: &'static Board,
    image: PathBuf,
    plan: Vec<u8>,
    replay: Vec<u8>,
    wishes: Wishes,
    /// The boards.
    pub stations: Vec<Station>,
    /// The daemon, while it runs.
    pub daemon: Option<Daemon>,
    _temporary: Option<TempDir>,
}

impl Bench {
    /// Compiles the plans, and starts the boards with good wires.
    ///
    /// # Errors
    /// When something can not be built or started.
    pub fn new(setup: &Setup, wishes: Wishes) -> Result<Self> {
        let (folder, temporary) = match &setup.keep {
            Some(folder) => (folder.clone(), None),
            None => {
                let temporary = tempfile::tempdir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let plans = folder.join("plans");
        std::fs::create_dir_all(&plans)?;
        let command = setup.command()?;
        for model in ["cells", "cells-heavy"] {
            compile(&command, model, &plans)?;
        }
        let board = microtome_board::find(&setup.board)?;
        let mut say = |line: &str| eprintln!("{line}");
        let image = image::locate(board, setup.firmware.as_deref(), &mut say)?;
        let plan = std::fs::read(plans.join("cells.mtp"))?;
        let replay = frames::store(&PlanBuf::new(&plan)?, setup.seed)?;
        let mut bench = Self {
            folder,
            command,
            board,
            image,
            plan,
            replay,
            wishes,
            stations: Vec::new(),
            daemon: None,
            _temporary: temporary,
        };
        for index in 0..bench.wishes.boards {
            bench.add_station(index, setup.seed)?;
        }
        Ok(bench)
    }

    fn add_station(&mut self, index: usize, seed: u64) -> Result<()> {
        let name = format!("board{index}");
        let path = self.folder.join(format!("tty{index}"));
        // Where the folder is kept, it may have one of an earlier attack.
        let _ = std::fs::remove_file(&path);
        let wire = Wire::new(&path, Rates::NONE, seed.wrapping_add(index as u64))?;
        self.stations.push(Station {
            name,
            wire,
            running: None,
            begun: 0,
        });
        self.power(index)
    }

    /// Starts the board at a station, which has none.
    ///
    /// # Errors
    /// When it does not start.
    pub fn power(&mut self, station: usize) -> Result<()> {
        let options = LaunchOptions {
            plan: Some(&self.plan),
            replay: Some(&self.replay),
            ..LaunchOptions::default()
        };
        let running = launch(self.board, &self.image, &options)?;
        let line = line(running.serial())?;
        let station = &mut self.stations[station];
        station.wire.solder(Some(line));
        station.running = Some(running);
        station.begin();
        Ok(())
    }

    /// Kills the board at a station (SIGKILL).
    pub fn cut_power(&mut self, station: usize) {
        self.stations[station].running = None;
    }

    /// Starts the daemon.
    ///
    /// # Errors
    /// When it can not be started.
    pub fn start_daemon(&mut self) -> Result<()> {
        let config = self.folder.join("daemon.toml");
        std::fs::write(&config, self.config())?;
        let mut command = if self.wishes.outlives_file_limit {
            let mut shell = Command::new("sh");
            shell.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
            shell.arg(&self.command);
            shell
        } else {
            Command::new(&self.command)
        };
        command.arg("daemon").arg("--config").arg(config);
        command.envs(self.wishes.environment.iter().cloned());
        command.env("RUST_LOG", "info").env("NO_COLOR", "1");
        self.daemon = Some(Daemon::start(command, &self.log())?);
        self.begin();
        Ok(())
    }

    /// Forgets that boards have been at work.
    pub fn begin(&mut self) {
        for station in &mut self.stations {
            station.begin();
        }
    }

    fn config(&self) -> String {
        let wishes = &self.wishes;
        let mut text = format!(
            "journal = {:?}\nplans = [\"plans\"]\ngpu = \"off\"\n",
            self.journal()
        );
        if let Some(days) = wishes.age_max_days {
            let _ = writeln!(text, "[retention]\nage_max_days = {days}");
        }
        for (index, station) in self.stations.iter().enumerate() {
            let offload = wishes.asks_every > 0 && index % wishes.asks_every == 0;
            let _ = writeln!(
                text,
                "[[device]]\nname = {:?}\npath = {:?}\n[device.acquisition]\n\
                 frames = {}\noffload = {offload}\ndeadline_ms = {}",
                station.name,
                station.wire.path(),
                wishes.frames,
                wishes.deadline_ms,
            );
            if wishes.keeps_frames {
                text.push_str("[device.frames]\nkeep = \"asked\"\n");
            }
        }
        for (index, path) in wishes.strangers.iter().enumerate() {
            let _ = writeln!(
                text,
                "[[device]]\nname = \"stranger{index}\"\npath = {path:?}"
            );
        }
        text
    }

    /// The daemon, which runs.
    ///
    /// # Errors
    /// When it does not.
    pub fn running(&mut self) -> Result<&mut Daemon> {
        let daemon = self.daemon.as_mut().context("no daemon was started")?;
        if let Some(status) = daemon.ended()? {
            bail!("the daemon ended ({status}):\n{}", daemon.last_words());
        }
        Ok(daemon)
    }

    /// Waits until every board works: since it and the daemon were started, some of its results
    /// have been stored.
    ///
    /// # Errors
    /// When one does not.
    pub fn wait_for_all(&mut self) -> Result<()> {
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        while let Some(idle) = self.stations.iter().find(|it| !it.works()) {
            ensure!(
                Instant::now() < deadline,
                "{} has no results stored:\n{}",
                idle.name,
                self.daemon
                    .as_ref()
                    .map_or_else(String::new, Daemon::last_words)
            );
            self.running()?;
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Waits until some board works, and gives one of those that do: the `choice`th, as it were.
    ///
    /// # Errors
    /// When there is none.
    pub fn wait_for_one(&mut self, choice: u64) -> Result<usize> {
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        loop {
            let stations = 0..self.stations.len();
            let at_work: Vec<usize> = stations.filter(|&it| self.stations[it].works()).collect();
            if !at_work.is_empty() {
                return Ok(at_work[choice as usize % at_work.len()]);
            }
            self.running()?;
            ensure!(Instant::now() < deadline, "no board has results stored");
            std::thread::sleep(POLL);
        }
    }

    /// Makes every wire good, waits until each board has further results stored, and ends the
    /// daemon, which so records all that there is.
    ///
    /// # Errors
    /// When a board stays without results, or the daemon does not end well.
    pub fn settle(&mut self) -> Result<()> {
        for station in &self.stations {
            station.wire.set_rates(Rates::NONE);
        }
        self.begin();
        self.wait_for_all()?;
        self.running()?.terminate()?;
        self.daemon = None;
        Ok(())
    }

    /// What was done to all wires.
    pub fn faults(&self) -> Faults {
        let mut sum = Faults::default();
        for station in &self.stations {
            sum += station.wire.seen().faults;
        }
        sum
    }

    /// Results that boards have sent so far.
    pub fn sent(&self) -> u64 {
        let mut sent = 0;
        for station in &self.stations {
            let seen = station.wire.seen();
            sent += seen
                .truth
                .starts
                .values()
                .map(|it| it.sent.len())
                .sum::<usize>();
        }
        sent as u64
    }

    /// Changes how often what happens to every wire.
    pub fn set_rates(&self, rates: Rates) {
        for station in &self.stations {
            station.wire.set_rates(rates);
        }
    }

    /// Folder of the bench.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The journal.
    pub fn journal(&self) -> PathBuf {
        let own = || self.folder.join("results.journal");
        self.wishes.journal.clone().unwrap_or_else(own)
    }

    /// Runs `microtome` to its end; it must succeed.
    ///
    /// # Errors
    /// When it does not.
    pub fn microtome(&self, args: &[&str]) -> Result<String> {
        run(Command::new(&self.command).args(args))
    }

    fn log(&self) -> PathBuf {
        self.folder.join("daemon.log")
    }
}

/// Opens the host's end of a board's serial line.
fn line(path: &Path) -> Result<OwnedFd> {
    if std::fs::metadata(path)?.file_type().is_socket() {
        let socket = UnixStream::connect(path)?;
        socket.set_nonblocking(true)?;
        return Ok(socket.into());
    }
    Ok(pty::open(path)?)
}

fn compile(command: &Path, model: &str, plans: &Path) -> Result<()> {
    let source = Setup::root()?.join(format!("models/{model}/{model}.onnx"));
    let plan = plans.join(format!("{model}.mtp"));
    run(Command::new(command)
        .arg("compile")
        .args([&source, Path::new("-o"), &plan]))?;
    Ok(())
}

/// Runs a command that must succeed, and returns what it wrote to stdout.
fn run(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
