//! Devices that are no boards: one sends garbage without end, one sends the frames of a board again
//! and again, one never reads. The boards beside them must not notice, and the daemon's memory must
//! not either.

use crate::attacks::Load;
use crate::bench::{Bench, Setup, Wishes};
use crate::judge::judge;
use crate::pty::Pty;
use crate::reference::Reference;
use crate::report::Row;
use anyhow::Result;
use microtome_link::{FRAME_LEN_MAX, Link};
use oorandom::Rand64;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// For how long.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Boards and time
    #[command(flatten)]
    pub load: Load,
    /// KiB by which the daemon's memory may grow while it is flooded
    #[arg(long, default_value_t = 8 * 1024)]
    pub growth_kib_max: u64,
}

/// What a stranger sends.
#[derive(Clone, Copy)]
enum Speech {
    Garbage,
    Frames,
    Nothing,
}

/// The strangers; they end when this is dropped.
struct Strangers {
    folder: TempDir,
    is_over: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Strangers {
    fn new(seed: u64) -> Result<Self> {
        let mut strangers = Self {
            folder: tempfile::tempdir()?,
            is_over: Arc::default(),
            bytes: Arc::default(),
            threads: Vec::new(),
        };
        let speeches = [Speech::Garbage, Speech::Frames, Speech::Nothing];
        for (path, speech) in strangers.paths().into_iter().zip(speeches) {
            let pty = Pty::open(&path)?;
            let is_over = Arc::clone(&strangers.is_over);
            let bytes = Arc::clone(&strangers.bytes);
            let thread = std::thread::spawn(move || speak(&pty, speech, seed, &is_over, &bytes));
            strangers.threads.push(thread);
        }
        Ok(strangers)
    }

    fn paths(&self) -> Vec<PathBuf> {
        let path = |index| self.folder.path().join(format!("stranger{index}"));
        (0..3).map(path).collect()
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn speak(pty: &Pty, speech: Speech, seed: u64, is_over: &AtomicBool, sent: &AtomicU64) {
    let mut random = Rand64::new(seed.into());
    let mut room = [0; FRAME_LEN_MAX];
    // A board that has no session says so; a board that says it all the time is a flood.
    let frame = Link::board()
        .poll_transmit(0, &mut room)
        .map(<[u8]>::to_vec);
    let frames = frame.unwrap_or_default().repeat(64);
    while !is_over.load(Ordering::Relaxed) {
        let speech: Vec<u8> = match speech {
            Speech::Garbage => (0..1024).map(|_| random.rand_u64() as u8).collect(),
            Speech::Frames => frames.clone(),
            Speech::Nothing => Vec::new(),
        };
        match rustix::io::write(&pty.master, &speech) {
            Ok(len @ 1..) => {
                sent.fetch_add(len as u64, Ordering::Relaxed);
            }
            // Nothing to say, or nobody takes more.
            Ok(0) | Err(_) => {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// Attacks.
///
/// # Errors
/// When the attack could not be made or judged.
pub fn run(setup: &Setup, args: &Args) -> Result<Row> {
    let reference = Reference::take(setup)?;
    let strangers = Strangers::new(setup.seed)?;
    let wishes = Wishes {
        strangers: strangers.paths(),
        ..Wishes::boards(args.load.boards)
    };
    let mut bench = Bench::new(setup, wishes)?;
    bench.start_daemon()?;
    bench.wait_for_all()?;
    let (before, end) = (bench.running()?.resident_kib()?, args.load.end());
    let mut most = before;
    while Instant::now() < end {
        most = most.max(bench.running()?.resident_kib()?);
        std::thread::sleep(Duration::from_millis(100));
    }
    bench.settle()?;
    let verdict = judge(&bench, &reference)?;
    let sent = strangers.bytes.load(Ordering::Relaxed);
    let growth = most - before;
    Ok(Row::new("flood", args.load.text(), &bench, verdict)
        .with("KiB of garbage and frames", sent >> 10)
        .with("devices that never read", 3)
        .note("KiB growth", growth)
        .demand(growth <= args.growth_kib_max, || {
            format!("the daemon's memory grew by {growth} KiB")
        }))
}
