//! `microtome flash`: builds a board's firmware and starts it with a plan, on emulated boards.

use crate::board_run;
use crate::commands::run::samples;
use crate::executor;
use crate::model::Model;
use crate::report;
use anyhow::Result;
use microtome_board::{Board, LaunchOptions, launch, replay};
use std::path::PathBuf;
use std::time::Duration;

#[derive(clap::Args)]
pub struct Args {
    /// The board
    #[arg(long, value_parser = microtome_board::find)]
    board: &'static Board,
    /// The plan (.mtp) or model (.onnx, .tflite) that it runs
    #[arg(long)]
    plan: Option<PathBuf>,
    /// Samples for its replay sensor, as for `run`
    #[arg(long, requires = "plan")]
    input: Option<PathBuf>,
    /// The board's image, instead of one that is built from the checkout
    #[arg(long)]
    firmware: Option<PathBuf>,
    /// The file to write what its pins do to
    #[arg(long)]
    pins: Option<PathBuf>,
    /// The file that an emulated board's flash for updates is in; made where it is not there
    #[arg(long)]
    updates: Option<PathBuf>,
}

/// How often the board is looked after.
const WATCH_PERIOD: Duration = Duration::from_millis(200);

pub fn run(args: &Args, json: bool) -> Result<()> {
    let model = args.plan.as_deref().map(Model::load).transpose()?;
    let image = board_run::locate(args.board, args.firmware.as_deref())?;
    let plan = model.as_ref().map(|model| model.plan.bytes());
    let replay = match (&model, &args.input) {
        (Some(model), Some(path)) => {
            let frames = executor::to_frames(model, &samples(model, path)?)?;
            Some(replay::encode(&frames)?)
        }
        _ => None,
    };
    let options = LaunchOptions {
        plan,
        replay: replay.as_deref(),
        pins: args.pins.as_deref(),
        flash: args.updates.as_deref(),
    };
    let mut running = launch(args.board, &image, &options)?;
    let serial = running.serial().to_owned();
    if json {
        report::json(&serde_json::json!({
            "board": args.board.name, "image": image, "serial": serial,
        }))?;
    } else {
        println!(
            "{} runs; a daemon finds it at {}",
            args.board.name,
            serial.display()
        );
    }
    // The board ends with this command, at the latest on Ctrl-C.
    loop {
        running.check()?;
        std::thread::sleep(WATCH_PERIOD);
    }
}
