//! Updates of emulated boards whose flash is in a file: the board is killed at every stage, and
//! starts again from what the file has then.

#[path = "../../../../firmware/app/tests/common/plan.rs"]
#[allow(dead_code, reason = "another test uses the rest")]
mod plan;
mod wire;

use microtome_board::{Board, LaunchError, LaunchOptions, Running};
use microtome_link::update::{RolledBack, Update, UpdateState, Updated};
use microtome_link::{PROTOCOL, ToBoard, ToHost};
use microtome_plan::PlanBuf;
use microtome_update::package::output_digest;
use microtome_update::{Golden, HEADER_LEN, write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use wire::{Gone, Wire};

/// The plan of a release; release 0 is the factory's.
fn plan_of(release: u64) -> PlanBuf {
    plan::plan_clamping_at(limit(release))
}

fn limit(release: u64) -> i8 {
    100 - release as i8
}

fn package(release: u64) -> Vec<u8> {
    let input = plan::frame(250);
    let clamp = |&x: &u8| (x.cast_signed().min(limit(release))).cast_unsigned();
    let output: Vec<u8> = input.iter().map(clamp).collect();
    let golden = Golden {
        input: &input,
        output: output_digest([output.as_slice()]),
    };
    write::encode(release, &plan_of(release), &[golden]).expect("a package")
}

/// A board with its flash in a file.
struct Bench {
    board: &'static Board,
    image: PathBuf,
    flash: PathBuf,
    _folder: TempDir,
}

impl Bench {
    fn new(name: &str) -> Self {
        let board = microtome_board::find(name).expect("there is such a board");
        let image = microtome_board::image::build(board, &mut |line| eprintln!("{line}"))
            .unwrap_or_else(|error| panic!("{error}"));
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            board,
            image,
            flash: folder.path().join("flash.bin"),
            _folder: folder,
        }
    }

    /// Starts the board; `None` where its emulator is not installed.
    fn start(&self) -> Option<(Running, Wire)> {
        start(self.board, &self.image, &self.flash)
    }

    /// What the board says of itself when it starts anew, which must be true.
    fn restart(&self) -> UpdateState {
        let (_running, mut wire) = self.start().expect("it was started before");
        state(&mut wire).expect("it runs")
    }
}

fn start(board: &'static Board, image: &Path, flash: &Path) -> Option<(Running, Wire)> {
    let plan = plan_of(0);
    let options = LaunchOptions {
        plan: Some(plan.bytes()),
        replay: None,
        flash: Some(flash),
    };
    match microtome_board::launch(board, image, &options) {
        Ok(mut running) => {
            let serial = running.take_serial().expect("it is new");
            Some((running, Wire::over(serial)))
        }
        Err(LaunchError::NoQemu { program, .. }) => {
            println!("skipped: {program} is not installed");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// How the board stands; its plan is that of its release.
fn state(wire: &mut Wire) -> Result<UpdateState, Gone> {
    wire.say(&ToBoard::Hello { protocol: PROTOCOL })?;
    wire.hear(|message| match message {
        ToHost::Hello(identity) => {
            assert_eq!(identity.plan_fault, None);
            let updates = identity.updates.expect("it has flash");
            assert_eq!(identity.plan, plan_of(updates.release).plan().digest());
            Some(updates)
        }
        other => panic!("unexpected: {other:?}"),
    })
}

/// A step of an update that is not refused.
fn ask(wire: &mut Wire, step: Update<'_>) -> Result<Updated, Gone> {
    wire.say(&ToBoard::Update(step))?;
    answer(wire)
}

fn answer(wire: &mut Wire) -> Result<Updated, Gone> {
    wire.hear(|message| match message {
        ToHost::Updated(updated) => Some(updated),
        other => panic!("unexpected: {other:?}"),
    })
}

/// The stages of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Begin,
    Transfer,
    Trial,
    Activation,
    Confirmation,
    Done,
}

const STAGES: [Stage; 6] = [
    Stage::Begin,
    Stage::Transfer,
    Stage::Trial,
    Stage::Activation,
    Stage::Confirmation,
    Stage::Done,
];

/// Does the update up to `last`, of which it only says that it is to be done; `reached` is how far
/// it has come.
fn update(wire: &mut Wire, package: &[u8], last: Stage, reached: &mut Stage) -> Result<(), Gone> {
    for stage in STAGES {
        *reached = stage;
        match stage {
            Stage::Begin => wire.say(&ToBoard::Update(Update::Begin {
                header: &package[..HEADER_LEN],
                allow_downgrade: false,
            }))?,
            Stage::Transfer => send(wire, package, stage == last)?,
            Stage::Trial => wire.say(&ToBoard::Update(Update::Trial))?,
            Stage::Activation => wire.say(&ToBoard::Update(Update::Activate))?,
            Stage::Confirmation => wire.say(&ToBoard::Update(Update::Confirm))?,
            Stage::Done => {}
        }
        if stage == last || stage == Stage::Done {
            return Ok(());
        }
        // The transfer is answered when it is whole, and needs the answer of the begin itself.
        if !matches!(stage, Stage::Begin | Stage::Transfer) {
            answer(wire)?;
        }
    }
    Ok(())
}

/// Sends what the board has not got of the package; waits until it has, or not.
fn send(wire: &mut Wire, package: &[u8], is_last: bool) -> Result<(), Gone> {
    let Updated::Written { bytes } = answer(wire)? else {
        panic!("not the answer to a begin")
    };
    let pieces = package.chunks(microtome_link::update::UPDATE_PIECE_LEN);
    let mut offset = 0;
    for data in pieces {
        if offset >= bytes {
            let piece = microtome_link::message::Piece { offset, data };
            wire.say(&ToBoard::Update(Update::Piece(piece)))?;
        }
        offset += data.len() as u32;
    }
    if bytes < offset && !is_last {
        assert_eq!(answer(wire)?, Updated::Written { bytes: offset });
    }
    Ok(())
}

/// What may be after a cut at this stage of the update to `new`.
fn check(after: &UpdateState, new: u64, reached: Stage) {
    let may_be = match reached {
        Stage::Confirmation => vec![new - 1, new],
        Stage::Done => vec![new],
        _ => vec![new - 1],
    };
    assert!(may_be.contains(&after.release), "{reached:?}: {after:?}");
    assert!(after.is_confirmed && after.release_confirmed == after.release);
    if reached < Stage::Activation {
        assert_eq!(after.rolled_back, None, "{reached:?}");
    }
}

#[test]
fn a_simulated_board_may_lose_its_power_in_any_operation_on_its_flash() {
    let bench = Bench::new("sim");
    let (mut cuts, mut rolled_back) = (0, 0);
    for new in 1..=2 {
        let before = std::fs::read(&bench.flash).ok();
        let package = package(new);
        for byte in [0, 1, 7, 100, 1000] {
            for operation in 0.. {
                match &before {
                    Some(before) => std::fs::write(&bench.flash, before).expect("a file"),
                    None => drop(std::fs::remove_file(&bench.flash)),
                }
                let mut reached = Stage::Begin;
                let board = cut_board(bench.board, operation, byte);
                let (running, mut wire) =
                    start(board, &bench.image, &bench.flash).expect("it needs no emulator");
                let done = update(&mut wire, &package, Stage::Done, &mut reached);
                drop(running);
                let after = bench.restart();
                check(&after, new, reached);
                if done.is_ok() {
                    break;
                }
                cuts += 1;
                rolled_back += usize::from(after.rolled_back.is_some());
                finish(&bench, &package, new);
            }
        }
    }
    println!("{cuts} cuts, {rolled_back} were rolled back");
    assert!(cuts >= 80 && rolled_back > 0);
}

/// The board, made to lose its power.
fn cut_board(board: &Board, operation: u64, byte: usize) -> &'static Board {
    let mut board = board.clone();
    let launch = board.launch.as_mut().expect("it is emulated");
    launch.args.extend([
        format!("--cut-after={operation}"),
        format!("--cut-byte={byte}"),
    ]);
    Box::leak(Box::new(board))
}

/// Does the update again, to its end.
fn finish(bench: &Bench, package: &[u8], new: u64) {
    let (running, mut wire) = bench.start().expect("it was started before");
    let mut reached = Stage::Begin;
    update(&mut wire, package, Stage::Done, &mut reached).expect("it runs");
    let after = state(&mut wire).expect("it runs");
    assert_eq!((after.release, after.is_confirmed), (new, true));
    drop(running);
    assert_eq!(bench.restart().release, new);
}

#[test]
fn an_emulated_board_may_be_killed_at_every_stage() {
    let bench = Bench::new("mps2-an386");
    let (mut kills, mut rolled_back) = (0, 0);
    for new in 1..=2 {
        let package = package(new);
        let before = std::fs::read(&bench.flash).ok();
        for stage in STAGES {
            // From at once to when what was said is certainly done.
            for delay_ms in [0, 1, 3, 10, 30, 90] {
                if let Some(before) = &before {
                    std::fs::write(&bench.flash, before).expect("a file");
                }
                let Some((running, mut wire)) = bench.start() else {
                    return;
                };
                let mut reached = Stage::Begin;
                update(&mut wire, &package, stage, &mut reached).expect("it runs");
                wire.serve(Duration::from_millis(delay_ms))
                    .expect("it runs");
                drop(running);
                kills += 1;
                let after = bench.restart();
                check(&after, new, reached);
                rolled_back += usize::from(after.rolled_back.is_some());
            }
        }
        finish(&bench, &package, new);
    }
    println!("{kills} kills, {rolled_back} were rolled back");
    assert!(rolled_back > 0);
}

#[test]
fn an_emulated_board_leaves_a_plan_that_nobody_confirms() {
    let bench = Bench::new("mps2-an386");
    let Some((running, mut wire)) = bench.start() else {
        return;
    };
    let mut reached = Stage::Begin;
    update(&mut wire, &package(1), Stage::Activation, &mut reached).expect("it runs");
    answer(&mut wire).expect("it runs");
    let active = state(&mut wire).expect("it runs");
    assert_eq!((active.release, active.is_confirmed), (1, false));
    let said = ask(&mut wire, Update::State);
    assert_eq!(said, Ok(Updated::State(active)));
    drop(running);
    let after = bench.restart();
    let rolled_back = Some(RolledBack::Unconfirmed { release: 1 });
    assert_eq!((after.release, after.rolled_back), (0, rolled_back));
}
