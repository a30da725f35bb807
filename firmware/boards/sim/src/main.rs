//! The firmware application as a process of this computer, behind a pseudo-terminal.
//!
//! It prints one line, `serial: PATH`, when a host may open the terminal at `PATH`, and ends when
//! its standard input closes: so it never outlives the process that started it.

mod flash;
mod pins;
mod serial;

use clap::Parser;
use embassy_executor::{Executor, Spawner};
use flash::{Cut, FilePart};
use microtome_app::flash::UpdateFlash;
use microtome_app::pins::Pins;
use microtome_app::sensor::ReplaySensor;
use microtome_app::{Board, Clock};
use pins::FilePin;
use serial::{LineRx, LineTx};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

/// As `board.toml` says.
const MEMORY_LEN: usize = 0x40_0000;
const TICKS_HZ: u32 = 1_000_000_000;

/// The microtome firmware as a process.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The plan to run.
    #[arg(long)]
    plan: Option<PathBuf>,
    /// The replay store to take frames from.
    #[arg(long)]
    replay: Option<PathBuf>,
    /// The file to write the pins' levels to.
    #[arg(long)]
    pins: Option<PathBuf>,
    /// The file that flash for updates is in; made where it is not there.
    #[arg(long)]
    flash: Option<PathBuf>,
    /// Ends the process in the operation of this number on the flash, from 0, as a loss of power
    /// would.
    #[arg(long, requires = "flash")]
    cut_after: Option<u64>,
    /// Before which byte of the operation it ends.
    #[arg(long, requires = "cut_after", default_value_t = 0)]
    cut_byte: usize,
}

type SimBoard = Board<'static, LineRx, LineTx, ReplaySensor<'static>>;
type SimFlash = UpdateFlash<FilePart>;

fn main() -> ExitCode {
    match start(&Arguments::parse()) {
        Ok((board, flash)) => {
            std::thread::spawn(end_with_stdin);
            let executor = Box::leak(Box::new(Executor::new()));
            executor.run(|spawner| spawn(spawner, board, flash))
        }
        Err(error) => {
            eprintln!("microtome-board-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &Arguments) -> Result<(SimBoard, Option<SimFlash>), String> {
    let plan = load(arguments.plan.as_deref())?;
    let replay = load(arguments.replay.as_deref())?;
    let cut = arguments.cut_after.map(|operation| Cut {
        operation,
        byte: arguments.cut_byte,
    });
    let flash = match &arguments.flash {
        Some(path) => Some(
            flash::open(path, cut, aligned)
                .map_err(|error| format!("cannot use the flash {}: {error}", path.display()))?,
        ),
        None => None,
    };
    let (path, rx, tx) =
        serial::open().map_err(|error| format!("cannot open a pseudo-terminal: {error}"))?;
    let mut stdout = io::stdout();
    writeln!(stdout, "serial: {path}")
        .and_then(|()| stdout.flush())
        .map_err(|error| format!("cannot say where the terminal is: {error}"))?;
    let board = Board {
        name: "sim",
        unit: "",
        firmware: env!("MICROTOME_FIRMWARE"),
        clock: Clock {
            now: ticks,
            ticks_hz: TICKS_HZ,
        },
        plan,
        replay,
        memory: aligned(MEMORY_LEN),
        sensor: ReplaySensor::new(replay),
        rx,
        tx,
        pins: pins(arguments.pins.as_deref())?,
    };
    Ok((board, flash))
}

/// Pins that write to a new file at `path`.
fn pins(path: Option<&Path>) -> Result<Pins<'static>, String> {
    let create = |path: &Path| {
        let file = File::create(path);
        file.map_err(|error| format!("cannot write {}: {error}", path.display()))
    };
    let file = path.map(create).transpose()?.map(Arc::new);
    let pin = |name| Box::leak(Box::new(FilePin::new(name, file.clone(), ticks)));
    Ok(Pins {
        exposure: pin("exposure"),
        answer: pin("answer"),
    })
}

fn spawn(spawner: Spawner, board: SimBoard, flash: Option<SimFlash>) {
    let task = application(board, flash).expect("the pool has room for the one task");
    spawner.spawn(task);
}

#[embassy_executor::task]
async fn application(board: SimBoard, flash: Option<SimFlash>) {
    match flash {
        Some(flash) => microtome_app::run_with_updates(board, flash).await,
        None => microtome_app::run(board).await,
    }
}

/// Nanoseconds since the first call.
fn ticks() -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed().as_nanos() as u64
}

/// The bytes of the file, where a plan can be used in place; none without a file.
fn load(path: Option<&Path>) -> Result<&'static [u8], String> {
    let Some(path) = path else {
        return Ok(&[]);
    };
    let bytes =
        std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let memory = aligned(bytes.len());
    memory.copy_from_slice(&bytes);
    Ok(memory)
}

/// Memory for as long as the process lives, aligned as flash and RAM of a board are.
fn aligned(len: usize) -> &'static mut [u8] {
    let words = vec![0_u128; len.div_ceil(size_of::<u128>())].leak();
    &mut bytemuck::cast_slice_mut(words)[..len]
}

fn end_with_stdin() {
    let mut stdin = io::stdin().lock();
    // An error is as good as the end.
    while matches!(stdin.read(&mut [0; 64]), Ok(1..)) {}
    std::process::exit(0);
}
