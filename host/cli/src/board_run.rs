//! Starting an emulated board with a plan, and running samples on it over its link.

use crate::report::Progress;
use anyhow::{Context, Result, bail, ensure};
use microtome_board::{Board, LaunchOptions, Running, image, launch, replay};
use microtome_daemon::transport::BAUD_DEFAULT;
use microtome_daemon::{DeviceLog, RunInput, Session};
use microtome_plan::PlanBuf;
use std::path::{Path, PathBuf};
use tokio::runtime::Runtime;

/// How samples are run on a board.
pub struct BoardRun {
    /// The board.
    pub board: &'static Board,
    /// Its image, instead of one that is built from the checkout.
    pub firmware: Option<PathBuf>,
    /// Whether each step's ticks are wanted.
    pub profile: bool,
}

/// What a board made of the samples.
pub struct BoardRan {
    /// One entry a sample.
    pub samples: Vec<BoardSample>,
    /// Ticks of the board's clock in a second.
    pub ticks_hz: f64,
    /// The image that it ran.
    pub image: PathBuf,
}

/// What a board made of one sample.
pub struct BoardSample {
    /// int8 values of each output, in the arena's order.
    pub outputs: Vec<Vec<u8>>,
    /// Ticks of the run.
    pub ticks: u64,
    /// Ticks of each step, where they were wanted.
    pub step_ticks: Vec<u64>,
}

impl BoardRun {
    /// Runs the plan on `frames`, each the plan's input in the arena's order. They go to the
    /// board as its replay store; where that has not room for all, the board is started again.
    pub fn run(&self, plan: &PlanBuf, frames: &[Vec<u8>]) -> Result<BoardRan> {
        let image = locate(self.board, self.firmware.as_deref())?;
        let mut samples = Vec::new();
        let mut progress = Progress::bar("samples", frames.len());
        for frames in frames.chunks(self.frames_at_once(frames)?) {
            let store = replay::encode(frames)?;
            let options = LaunchOptions {
                plan: Some(plan.bytes()),
                replay: Some(&store),
                pins: None,
                flash: None,
            };
            let running = launch(self.board, &image, &options)?;
            Runtime::new()?.block_on(async {
                let mut board = Connected::new(running, &image).await?;
                board.must_run(plan)?;
                for frame in 0..frames.len() {
                    samples.push(self.sample(&mut board, plan, frame as u32).await?);
                    progress.advance();
                }
                Ok::<_, anyhow::Error>(())
            })?;
        }
        Ok(BoardRan {
            samples,
            ticks_hz: f64::from(self.board.clock.ticks_hz),
            image,
        })
    }

    fn frames_at_once(&self, frames: &[Vec<u8>]) -> Result<usize> {
        let (Some(slot), Some(frame)) = (&self.board.memory.replay, frames.first()) else {
            return Ok(frames.len().max(1));
        };
        let count = (slot.bytes as usize).saturating_sub(replay::HEADER_LEN) / frame.len();
        let name = &self.board.name;
        ensure!(
            count > 0,
            "a sample has {} bytes, {name} has no room for it",
            frame.len()
        );
        Ok(count)
    }

    async fn sample(
        &self,
        board: &mut Connected,
        plan: &PlanBuf,
        frame: u32,
    ) -> Result<BoardSample> {
        let output = board
            .session
            .run(RunInput::Replay(frame), self.profile)
            .await;
        let output = board.or_why_it_died(output)?;
        let plan = plan.plan();
        let lens = plan.manifest().outputs.iter().map(|port| port.len());
        let outputs = output
            .split(lens)
            .context("the board sent outputs of another length")?;
        Ok(BoardSample {
            outputs,
            ticks: output.ticks,
            step_ticks: output.step_ticks,
        })
    }
}

impl BoardRan {
    /// Bytes of code and constants that the image puts into flash.
    pub fn code_bytes(&self) -> Result<u64> {
        use object::{Object as _, ObjectSegment as _};
        let bytes = std::fs::read(&self.image)?;
        let elf = object::File::parse(&bytes[..])
            .with_context(|| format!("{} is no ELF file", self.image.display()))?;
        Ok(elf.segments().map(|segment| segment.file_range().1).sum())
    }
}

/// The image of `board`: `given`, or what the checkout builds.
pub fn locate(board: &Board, given: Option<&Path>) -> Result<PathBuf> {
    let progress = Progress::spinner("firmware");
    Ok(image::locate(board, given, &mut |line| progress.say(line))?)
}

/// A running board and the session with it.
pub struct Connected {
    /// The board; it ends when this is dropped.
    pub running: Running,
    /// The session.
    pub session: Session,
}

impl Connected {
    /// Connects to a board that was just started from `image`.
    pub async fn new(mut running: Running, image: &Path) -> Result<Self> {
        let name = &running.board().name;
        let log = DeviceLog::with_elf(name, image).unwrap_or_else(|_| DeviceLog::new(name));
        let session = Session::open(running.serial(), BAUD_DEFAULT, log).await;
        match session {
            Ok(session) => Ok(Self { running, session }),
            Err(error) => {
                running.check()?;
                Err(error.into())
            }
        }
    }

    /// `result`, or, when the board has ended, why it did.
    pub fn or_why_it_died<T, E>(&mut self, result: Result<T, E>) -> Result<T>
    where
        E: Into<anyhow::Error>,
    {
        if result.is_err() {
            self.running.check()?;
        }
        result.map_err(Into::into)
    }

    /// Fails unless the board runs `plan`.
    pub fn must_run(&self, plan: &PlanBuf) -> Result<()> {
        let identity = self.session.identity();
        if let Some(fault) = &identity.plan_fault {
            bail!("{} refuses the plan: {fault}", identity.board);
        }
        ensure!(
            identity.plan == plan.digest(),
            "{} runs another plan",
            identity.board
        );
        Ok(())
    }
}
