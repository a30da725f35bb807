//! Power that is lost in an update: at each of its stages, and in each operation on the flash.
//!
//! After each loss the board runs the old plan or the new one, and the update goes on to its end.

use crate::bench::{Bench, limit_of};
use crate::plans;
use crate::support::{emulated, skip};
use microtome_daemon::update::{self, Done, Port, Progress};
use microtome_daemon::{DeviceLog, Session, SessionError};
use microtome_link::update::{PlanSource, RolledBack, UpdateState};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;
use tokio::runtime::Runtime;

const OLD: i8 = 9;
const NEW: i8 = 20;
const RELEASE: u64 = 7;

/// When the power is lost: so many milliseconds after the update says that it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The slot is erased.
    Preparing,
    /// Half of the package is on its way.
    Sending,
    /// The golden vectors run.
    Trying,
    /// The board changes its plan.
    Activating,
    /// It runs the new plan and is told to keep it.
    Confirming,
}

const STAGES: [(Stage, u64); 8] = [
    (Stage::Preparing, 0),
    (Stage::Preparing, 20),
    (Stage::Sending, 0),
    (Stage::Trying, 0),
    (Stage::Trying, 10),
    (Stage::Activating, 0),
    (Stage::Activating, 10),
    (Stage::Confirming, 0),
];

impl Stage {
    fn is_at(self, progress: &Progress<'_>) -> bool {
        match (self, progress) {
            (Self::Sending, Progress::Sending { bytes, of }) => 2 * bytes > *of,
            (Self::Preparing, Progress::Preparing)
            | (Self::Trying, Progress::Trying)
            | (Self::Activating, Progress::Activating)
            | (Self::Confirming, Progress::Confirming) => true,
            _ => false,
        }
    }
}

/// A board that is looked at each time that its power comes back.
struct Watched {
    bench: Bench,
    /// The plan's limit and the state, at each start.
    seen: Vec<(i8, UpdateState)>,
}

impl Port for Watched {
    async fn open(&mut self) -> Result<Session, SessionError> {
        let mut session = self.bench.open().await?;
        let limit = limit_of(&mut session).await;
        let state = session.identity().updates.expect("it takes updates");
        self.seen.push((limit, state));
        Ok(session)
    }
}

/// Brings the new plan to a board that loses its power at `stage`, once.
async fn lose_power_at(board: &str, (stage, delay_ms): (Stage, u64)) {
    let bench = Bench::new(board, OLD);
    let power = bench.power();
    let mut port = Watched {
        bench,
        seen: vec![],
    };
    let mut is_lost = false;
    let mut progress = |progress: Progress<'_>| {
        if !is_lost && stage.is_at(&progress) {
            is_lost = true;
            let power = power.clone();
            let lose = move || {
                thread::sleep(Duration::from_millis(delay_ms));
                power.cut();
            };
            match delay_ms {
                0 => lose(),
                _ => drop(thread::spawn(lose)),
            }
        }
    };
    let package = plans::package(NEW, RELEASE);
    let done = update::update(&mut port, &package, false, &mut progress).await;
    let Done { state, .. } = done.unwrap_or_else(|error| panic!("{board}, {stage:?}: {error}"));
    assert!(state.is_confirmed && state.release == RELEASE, "{state:?}");
    // A loss that comes late may find the update at its end.
    thread::sleep(Duration::from_millis(2 * delay_ms));
    let mut session = port.open().await.unwrap();
    assert_eq!(limit_of(&mut session).await, NEW);
    let (last, back) = (port.seen.len() - 1, &port.seen[1]);
    assert_eq!(port.seen[last].0, NEW);
    assert_ne!(port.seen[last].1.source, PlanSource::Factory);
    let (limit, state) = back;
    if delay_ms == 0 {
        // Nothing that was not confirmed stays, and what was asked to be is named.
        assert_eq!(*limit, OLD, "{stage:?}");
        let rolled_back =
            (stage == Stage::Confirming).then_some(RolledBack::Unconfirmed { release: RELEASE });
        assert_eq!(state.rolled_back, rolled_back, "{stage:?}");
    }
    assert!([OLD, NEW].contains(limit), "{stage:?}: clamp to {limit}");
    assert!(state.is_confirmed);
}

#[test]
fn a_board_that_loses_power_at_any_stage_runs_the_old_plan_and_then_the_new() {
    let test = "updates of boards that lose their power";
    let runtime = Runtime::new().unwrap();
    let mut boards = vec!["sim".to_owned()];
    for name in emulated(test) {
        let board = microtome_board::find(&name).unwrap();
        let launch = board.launch.as_ref();
        if launch.is_some_and(|launch| launch.args_flash.is_some()) {
            boards.push(name);
        } else {
            skip(&format!("{test} on {name}"), "it has no flash for updates");
        }
    }
    for board in boards {
        for stage in STAGES {
            runtime.block_on(lose_power_at(&board, stage));
        }
    }
}

/// The simulated board, whose first start ends in one operation on its flash.
struct Cut {
    bench: Bench,
    image: PathBuf,
    operation: u64,
    byte: usize,
    /// The first start.
    first: Option<Child>,
    starts: u32,
}

impl Cut {
    fn start_first(&mut self) -> Option<PathBuf> {
        let mut command = Command::new(&self.image);
        command.arg("--plan").arg(self.bench.file("old.mtp"));
        command.arg("--flash").arg(self.bench.file("flash.bin"));
        command.args(["--cut-after", &self.operation.to_string()]);
        command.args(["--cut-byte", &self.byte.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).unwrap();
        self.first = Some(child);
        line.strip_prefix("serial: ").map(|path| path.trim().into())
    }

    /// Ends the first start, if there is one.
    fn end_first(&mut self) {
        if let Some(mut child) = self.first.take() {
            // It may have ended by itself.
            let _ = child.kill();
            child.wait().unwrap();
        }
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.end_first();
    }
}

impl Port for Cut {
    async fn open(&mut self) -> Result<Session, SessionError> {
        self.starts += 1;
        if self.starts == 1
            && let Some(path) = self.start_first()
        {
            let log = DeviceLog::new("sim");
            if let Ok(session) = Session::open(&path, 921_600, log).await {
                return Ok(session);
            }
            // The power was lost while the board started.
        }
        self.end_first();
        let mut session = self.bench.open().await?;
        let limit = limit_of(&mut session).await;
        assert!(
            [OLD, NEW].contains(&limit),
            "clamp to {limit} after {}",
            self.operation
        );
        Ok(session)
    }
}

/// Brings the new plan to a board that loses its power in operation `operation` on its flash;
/// whether there was such an operation.
async fn lose_power_in(operation: u64, byte: usize) -> bool {
    let bench = Bench::new("sim", OLD);
    std::fs::write(bench.file("old.mtp"), plans::clamp(OLD).bytes()).unwrap();
    let mut port = Cut {
        image: bench.image().to_owned(),
        bench,
        operation,
        byte,
        first: None,
        starts: 0,
    };
    let package = plans::package(NEW, RELEASE);
    let done = update::update(&mut port, &package, false, &mut |_| ()).await;
    let done = done.unwrap_or_else(|error| panic!("operation {operation}: {error}"));
    assert!(done.state.is_confirmed && done.state.release == RELEASE);
    let starts = port.starts;
    let mut session = port.open().await.unwrap();
    assert_eq!(limit_of(&mut session).await, NEW, "operation {operation}");
    starts > 1
}

/// Bytes of each operation before which the power is lost, with `MICROTOME_CUTS=all`; the last byte
/// where an operation has fewer.
const BYTES: [usize; 16] = [
    0, 1, 2, 3, 4, 7, 8, 16, 31, 64, 100, 200, 300, 511, 2048, 4095,
];

#[test]
fn a_board_that_loses_power_in_any_operation_on_its_flash_is_updated_in_the_end() {
    let is_all = std::env::var("MICROTOME_CUTS").is_ok_and(|cuts| cuts == "all");
    let runtime = Runtime::new().unwrap();
    for operation in 0.. {
        let one = [BYTES[operation as usize % BYTES.len()]];
        let bytes = if is_all { &BYTES[..] } else { &one };
        let is_lost = |&byte: &usize| runtime.block_on(lose_power_in(operation, byte));
        if !bytes
            .iter()
            .map(is_lost)
            .fold(false, |any, lost| any | lost)
        {
            assert!(operation > 10, "there were {operation} operations");
            break;
        }
    }
}
