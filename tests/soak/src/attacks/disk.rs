//! A disk that is full for a while.
//!
//! As root it is a disk of its own in memory, filled by another file; otherwise a file that must not
//! grow. The daemon meets both as a write that fails.

use crate::attacks::Load;
use crate::bench::{Bench, Setup, Wishes};
use crate::daemon::POLL;
use crate::judge::judge;
use crate::reference::Reference;
use crate::report::Row;
use anyhow::{Context as _, Result, ensure};
use rustix::mount::{MountFlags, UnmountFlags};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// For how long, and how often.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Boards and time
    #[command(flatten)]
    pub load: Load,
    /// Seconds for which the disk is full each time
    #[arg(long, default_value_t = 4)]
    pub full_s: u64,
}

/// MiB of the disk: room for the journal of minutes.
const DISK_MIB: u64 = 512;
/// Boards that nobody acknowledges anything are silent by then: they hold all that they can.
const SILENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Time without a new result after which boards are silent.
const SILENCE: Duration = Duration::from_secs(1);

/// A disk, or what stands for it.
enum Disk {
    Memory(MemoryDisk),
    FileLimit,
}

/// A file system in memory; it is gone when this is dropped.
struct MemoryDisk {
    folder: TempDir,
}

impl MemoryDisk {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let size = format!("size={DISK_MIB}m\0");
        let options = std::ffi::CStr::from_bytes_with_nul(size.as_bytes())?;
        rustix::mount::mount(
            "tmpfs",
            folder.path(),
            "tmpfs",
            MountFlags::empty(),
            Some(options),
        )?;
        Ok(Self { folder })
    }

    fn ballast(&self) -> PathBuf {
        self.folder.path().join("ballast")
    }
}

impl Drop for MemoryDisk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open is about to end.
        let _ = rustix::mount::unmount(self.folder.path(), UnmountFlags::DETACH);
    }
}

impl Disk {
    fn new() -> Self {
        MemoryDisk::new().map_or(Self::FileLimit, Self::Memory)
    }

    fn fill(&self, bench: &mut Bench) -> Result<()> {
        match self {
            Self::Memory(disk) => fill(&disk.ballast()),
            Self::FileLimit => {
                let len = std::fs::metadata(bench.journal())?.len();
                bench.running()?.limit_file(Some(len))
            }
        }
    }

    fn free(&self, bench: &mut Bench) -> Result<()> {
        match self {
            Self::Memory(disk) => Ok(std::fs::remove_file(disk.ballast())?),
            Self::FileLimit => bench.running()?.limit_file(None),
        }
    }
}

/// Writes until nothing fits any more.
fn fill(path: &Path) -> Result<()> {
    let mut file = std::fs::File::create(path)?;
    for len in [1 << 20, 1 << 12, 1] {
        let bytes = vec![0; len];
        while file.write_all(&bytes).is_ok() {}
    }
    Ok(())
}

/// Attacks.
///
/// # Errors
/// When the attack could not be made or judged.
pub fn run(setup: &Setup, args: &Args) -> Result<Row> {
    let reference = Reference::take(setup)?;
    let disk = Disk::new();
    let wishes = Wishes {
        journal: match &disk {
            Disk::Memory(disk) => Some(disk.folder.path().join("results.journal")),
            Disk::FileLimit => None,
        },
        outlives_file_limit: true,
        ..Wishes::boards(args.load.boards)
    };
    let mut bench = Bench::new(setup, wishes)?;
    bench.start_daemon()?;
    let (end, mut fills) = (args.load.end(), 0);
    while fills == 0 || Instant::now() < end {
        bench.wait_for_all()?;
        disk.fill(&mut bench)?;
        fills += 1;
        wait_for_silence(&mut bench)?;
        std::thread::sleep(Duration::from_secs(args.full_s));
        disk.free(&mut bench)?;
        bench.begin();
    }
    bench.settle()?;
    let verdict = judge(&bench, &reference)?;
    let kind = match disk {
        Disk::Memory(_) => "disk full",
        Disk::FileLimit => "file that must not grow",
    };
    Ok(Row::new("disk full", args.load.text(), &bench, verdict).with(kind, fills))
}

/// Waits until no board sends a result any more, because nothing is acknowledged.
fn wait_for_silence(bench: &mut Bench) -> Result<()> {
    let deadline = Instant::now() + SILENT_TIMEOUT;
    let (mut sent, mut since) = (bench.sent(), Instant::now());
    while since.elapsed() < SILENCE {
        ensure!(
            Instant::now() < deadline,
            "boards go on although nothing can be stored"
        );
        bench.running().context("while the disk is full")?;
        std::thread::sleep(POLL);
        if bench.sent() != sent {
            (sent, since) = (bench.sent(), Instant::now());
        }
    }
    Ok(())
}
