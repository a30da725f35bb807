//! An emulated board: a child process with a serial line, the plan and the replay store beside it.
//!
//! [`launch`] returns once the serial line is there. The child ends when [`Running`] is dropped;
//! the files it was given are removed with it.

use crate::{Board, Launch, LaunchKind, SerialKind, Slot};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A board that has no serial line by then is given up.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a starting board is looked at.
const POLL: Duration = Duration::from_millis(2);
/// How long after its last word on one stream a child is watched: it may go on, or its own children
/// may hold the other stream open.
const END_TIMEOUT: Duration = Duration::from_millis(200);
/// Lines of the child's stderr that are kept for errors.
const STDERR_LINES: usize = 12;

/// What a board is started with.
#[derive(Clone, Copy, Debug, Default)]
pub struct LaunchOptions<'a> {
    /// The plan in its flash.
    pub plan: Option<&'a [u8]>,
    /// The replay store in its flash, made by [`crate::replay::encode`].
    pub replay: Option<&'a [u8]>,
    /// The file to which its pins' levels are written, as its `README.md` says.
    pub pins: Option<&'a Path>,
    /// The file that its flash for updates is in, which outlives it; made where it is not there.
    pub flash: Option<&'a Path>,
}

/// Why a board could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The board is of silicon.
    #[error("{board} is not emulated: plug it in and use its serial device")]
    NotEmulated {
        /// Name of the board.
        board: String,
    },
    /// The board can not have flash for updates.
    #[error("{board} has no flash for updates")]
    NoFlash {
        /// Name of the board.
        board: String,
    },
    /// Something does not fit into the board's flash.
    #[error("the {what} has {bytes} bytes, {board} has room for {room}")]
    TooLarge {
        /// Name of the board.
        board: String,
        /// Plan or replay store.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// Room for it.
        room: u64,
    },
    /// Its pins can not be written down.
    #[error("nothing writes down what the pins of {board} do")]
    NoPins {
        /// Name of the board.
        board: String,
    },
    /// QEMU is not installed.
    #[error("{program} is needed to emulate {board}: install it (apt install {program})")]
    NoQemu {
        /// Name of the board.
        board: String,
        /// The program that is missing, called like Debian's package of it.
        program: String,
    },
    /// The program could not be started.
    #[error("can not start {program} for {board}: {source}")]
    Start {
        /// Name of the board.
        board: String,
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file or socket for the board could not be made.
    #[error("can not make {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The board ended.
    #[error("{board} ended ({status}){stderr}")]
    Died {
        /// Name of the board.
        board: String,
        /// How it ended.
        status: String,
        /// The last lines that it wrote to stderr, each on a line of its own.
        stderr: String,
    },
    /// The board runs but offers no serial line.
    #[error("{board} offered no serial line within {} s", START_TIMEOUT.as_secs())]
    NoSerial {
        /// Name of the board.
        board: String,
    },
}

/// A board that runs. It ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    board: &'static Board,
    child: Child,
    stderr: Tail,
    serial: PathBuf,
    _files: TempDir,
}

impl Running {
    /// The host's end of the serial line: a serial device, or a socket to connect to.
    pub fn serial(&self) -> &Path {
        &self.serial
    }

    /// The board.
    pub fn board(&self) -> &'static Board {
        self.board
    }

    /// Whether the board still runs; to be asked when its serial line breaks.
    ///
    /// # Errors
    /// [`LaunchError::Died`] with the last lines of its stderr.
    pub fn check(&mut self) -> Result<(), LaunchError> {
        let status = match self.child.try_wait() {
            Ok(None) => return Ok(()),
            Ok(Some(status)) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let (board, stderr) = (self.board.name.clone(), self.stderr.text());
        Err(LaunchError::Died {
            board,
            status,
            stderr,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where the child has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts `image` on the emulated `board`.
///
/// # Errors
/// [`LaunchError`] when the board is not emulated, its emulator is missing, something does not
/// fit, or it ends or offers no serial line in time.
pub fn launch(
    board: &'static Board,
    image: &Path,
    options: &LaunchOptions<'_>,
) -> Result<Running, LaunchError> {
    let launch = board
        .launch
        .as_ref()
        .ok_or_else(|| LaunchError::NotEmulated {
            board: board.name.clone(),
        })?;
    let files = tempfile::tempdir().map_err(|source| LaunchError::File {
        path: std::env::temp_dir(),
        source,
    })?;
    let paths = Paths {
        image: image.to_owned(),
        plan: files.path().join("plan.mtp"),
        replay: files.path().join("replay.bin"),
        serial: files.path().join("serial"),
        pins: options.pins.map(Path::to_owned).unwrap_or_default(),
        flash: options.flash.unwrap_or(Path::new("")).to_owned(),
    };
    let mut args = launch.args.clone();
    if let Some(plan) = options.plan {
        put(board, "plan", board.memory.plan, plan, &paths.plan)?;
        args.extend_from_slice(&launch.args_plan);
    }
    if let Some(replay) = options.replay {
        put(
            board,
            "replay store",
            board.memory.replay,
            replay,
            &paths.replay,
        )?;
        args.extend_from_slice(&launch.args_replay);
    }
    if options.pins.is_some() {
        if launch.args_pins.is_empty() {
            let board = board.name.clone();
            return Err(LaunchError::NoPins { board });
        }
        args.extend_from_slice(&launch.args_pins);
    }
    if let Some(flash) = options.flash {
        let more = (launch.args_flash.as_ref()).ok_or_else(|| LaunchError::NoFlash {
            board: board.name.clone(),
        })?;
        make_flash(board, flash)?;
        args.extend_from_slice(more);
    }
    let mut child = spawn(board, launch, &paths, &args)?;
    let stderr = Tail::follow(&board.name, child.stderr.take());
    let stdout = child.stdout.take();
    let mut running = Running {
        board,
        child,
        stderr,
        serial: paths.serial,
        _files: files,
    };
    match launch.serial {
        SerialKind::Unix => wait_reachable(&mut running)?,
        SerialKind::Pty => running.serial = announced(&mut running, stdout)?,
    }
    Ok(running)
}

/// The paths that stand in a descriptor's arguments.
struct Paths {
    image: PathBuf,
    plan: PathBuf,
    replay: PathBuf,
    serial: PathBuf,
    pins: PathBuf,
    flash: PathBuf,
}

impl Paths {
    fn fill(&self, text: &str) -> String {
        let places = [
            ("{image}", &self.image),
            ("{plan}", &self.plan),
            ("{replay}", &self.replay),
            ("{serial}", &self.serial),
            ("{pins}", &self.pins),
            ("{flash}", &self.flash),
        ];
        places
            .into_iter()
            .fold(text.to_owned(), |text, (place, path)| {
                text.replace(place, &path.to_string_lossy())
            })
    }
}

fn put(
    board: &Board,
    what: &'static str,
    slot: Option<Slot>,
    bytes: &[u8],
    path: &Path,
) -> Result<(), LaunchError> {
    if let Some(slot) = slot.filter(|slot| bytes.len() as u64 > slot.bytes) {
        let (board, bytes, room) = (board.name.clone(), bytes.len(), slot.bytes);
        return Err(LaunchError::TooLarge {
            board,
            what,
            bytes,
            room,
        });
    }
    let error = |source| LaunchError::File {
        path: path.to_owned(),
        source,
    };
    std::fs::write(path, bytes).map_err(error)
}

/// Makes the file that emulated flash is in, erased, where it is not there and the board does not
/// make it itself.
fn make_flash(board: &Board, path: &Path) -> Result<(), LaunchError> {
    let Some(bytes) = board.memory.flash_bytes.filter(|_| !path.exists()) else {
        return Ok(());
    };
    let erased = io::repeat(0xFF).take(bytes);
    File::create_new(path)
        .and_then(|mut file| io::copy(&mut { erased }, &mut file))
        .map(drop)
        .map_err(|source| LaunchError::File {
            path: path.to_owned(),
            source,
        })
}

fn spawn(
    board: &Board,
    launch: &Launch,
    paths: &Paths,
    args: &[String],
) -> Result<Child, LaunchError> {
    let program = paths.fill(&launch.program);
    let mut command = Command::new(&program);
    command.args(args.iter().map(|arg| paths.fill(arg)));
    // A board behind a pseudo-terminal ends when its stdin closes: with this process, however
    // that dies.
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    tracing::debug!(?command, "starting {}", board.name);
    command.spawn().map_err(|source| {
        let board = board.name.clone();
        let absent = source.kind() == io::ErrorKind::NotFound;
        if absent && launch.kind == LaunchKind::Qemu {
            LaunchError::NoQemu { board, program }
        } else {
            LaunchError::Start {
                board,
                program,
                source,
            }
        }
    })
}

/// Waits until the board takes connections at its socket. The one that is made here ends at once;
/// the next one gets the line.
fn wait_reachable(running: &mut Running) -> Result<(), LaunchError> {
    let deadline = Instant::now() + START_TIMEOUT;
    while UnixStream::connect(&running.serial).is_err() {
        running.check()?;
        if Instant::now() > deadline {
            return Err(LaunchError::NoSerial {
                board: running.board.name.clone(),
            });
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// Waits until the board prints `serial: PATH`; what it prints after that is read and dropped.
fn announced(running: &mut Running, stdout: Option<ChildStdout>) -> Result<PathBuf, LaunchError> {
    let (sender, path) = mpsc::channel();
    thread::spawn(move || {
        for line in stdout
            .map(BufReader::new)
            .into_iter()
            .flat_map(BufRead::lines)
        {
            let Ok(line) = line else { break };
            if let Some(path) = line.strip_prefix("serial: ") {
                let _ = sender.send(PathBuf::from(path.trim()));
            }
        }
    });
    path.recv_timeout(START_TIMEOUT).or_else(|error| {
        if error == mpsc::RecvTimeoutError::Disconnected {
            // Its stdout has ended: the child does so at once, if at all.
            let deadline = Instant::now() + END_TIMEOUT;
            while Instant::now() < deadline {
                running.check()?;
                thread::sleep(POLL);
            }
        }
        Err(LaunchError::NoSerial {
            board: running.board.name.clone(),
        })
    })
}

/// The last lines of a child's stderr, which is read on a thread of its own until it ends.
#[derive(Debug)]
struct Tail {
    lines: Arc<Mutex<VecDeque<String>>>,
    reader: thread::JoinHandle<()>,
}

impl Tail {
    fn follow(board: &str, stderr: Option<ChildStderr>) -> Self {
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let (board, tail) = (board.to_owned(), Arc::clone(&lines));
        let reader = thread::spawn(move || {
            for line in stderr
                .map(BufReader::new)
                .into_iter()
                .flat_map(BufRead::lines)
            {
                let Ok(line) = line else { break };
                tracing::debug!("{board}: {line}");
                let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                if tail.len() == STDERR_LINES {
                    tail.pop_front();
                }
                tail.push_back(line);
            }
        });
        Self { lines, reader }
    }

    /// The last lines of a child that has ended, each after a line break.
    fn text(&self) -> String {
        let deadline = Instant::now() + END_TIMEOUT;
        while !self.reader.is_finished() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| format!("\n{line}")).collect()
    }
}
