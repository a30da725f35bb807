//! `microtome demo`: the whole path on a shipped model and shipped samples.
//!
//! The models and the rendered blood smears are in the command itself, so that the demo needs no
//! files; the board's image is built or given as for every other command.

use crate::board_run::{self, Connected};
use crate::executor::Name;
use crate::manifest::Manifest;
use crate::model::{How, Model};
use crate::report::{self, grouped};
use crate::{array, port};
use anyhow::{Context, Result};
use microtome_board::{Board, LaunchOptions, launch, replay};
use microtome_daemon::{Counts, Executors, GpuPolicy, Instrument, Offload, Plans, Services, stop};
use microtome_journal::record::Answer;
use microtome_journal::{Journal, Record, Retention};
use microtome_link::message::{Acquisition, Mode};
use microtome_plan::Target;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(clap::Args)]
pub struct Args {
    /// The board to emulate, instead of the one that is a process of this computer
    #[arg(long, value_parser = microtome_board::find)]
    board: Option<&'static Board>,
    /// The board's image, instead of one that is built from the checkout
    #[arg(long)]
    firmware: Option<PathBuf>,
    /// Folder for the plans and the journal, instead of a temporary one
    #[arg(long)]
    folder: Option<PathBuf>,
    /// What acquisition strives for
    #[arg(long, value_enum, default_value = "rate")]
    mode: ModeName,
    /// Frames to acquire; the samples come again and again
    #[arg(long, default_value_t = SAMPLES.len() as u32, value_parser = clap::value_parser!(u32).range(1..))]
    frames: u32,
    /// Microseconds from one exposure to the next; 0 is as fast as the board can
    #[arg(long, default_value_t = 0)]
    period_us: u32,
    /// The file to write what the board's pins do to
    #[arg(long)]
    pins: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum ModeName {
    /// The most frames
    Rate,
    /// The quickest answers
    Latency,
}

/// The board that needs no emulator.
fn process() -> Result<&'static Board> {
    let boards = microtome_board::boards().iter();
    let mut here = boards.filter(|board| board.is_emulated() && board.firmware.target.is_none());
    here.next()
        .context("no board is a process of this computer: give --board")
}

/// A model that the command carries.
struct Shipped {
    name: &'static str,
    onnx: &'static [u8],
    manifest: &'static str,
}

macro_rules! shipped {
    ($name:literal) => {
        Shipped {
            name: $name,
            onnx: include_bytes!(concat!("../../../../models/", $name, "/", $name, ".onnx")),
            manifest: include_str!(concat!("../../../../models/", $name, "/manifest.toml")),
        }
    };
}

const ON_BOARD: Shipped = shipped!("cells");
const ON_HOST: Shipped = shipped!("cells-heavy");

macro_rules! samples {
    ($($name:literal)*) => {
        [$(($name, include_bytes!(concat!("../../../../models/cells/samples/", $name, ".png")))),*]
    };
}

const SAMPLES: [(&str, &[u8]); 12] = samples! {
    "00-plain-1" "01-plain-2" "02-plain-3" "03-sparse" "04-no-white" "05-two-white"
    "06-shaded" "07-crowded-1" "08-crowded-2" "09-soft" "10-faint" "11-grainy"
};

/// Milliseconds of the board's clock that it waits for the heavier model: long, since an emulated
/// board's clock runs ahead of the computer's while it computes.
const DEADLINE_MS: u32 = 600_000;

#[derive(Serialize)]
struct Json {
    board: String,
    frames: u64,
    on_board: u64,
    offloaded: u64,
    lost: u64,
    adapter: String,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let folder = match &args.folder {
        Some(folder) => folder.clone(),
        None => tempfile::Builder::new()
            .prefix("microtome-demo-")
            .tempdir()?
            .keep(),
    };
    let narrator = Narrator { quiet: json };
    let board = args.board.map_or_else(process, Ok)?;
    let target = Name::Board(board).target();
    let model = compile(&ON_BOARD, target, &folder, &narrator)?;
    compile(&ON_HOST, Target::Generic, &folder, &narrator)?;
    let executors = Executors::choose(GpuPolicy::Auto);
    let adapter = executors.name();
    narrator.leg("offload", &format!("{} on {adapter}", ON_HOST.name));
    let services = Arc::new(services(&folder, &executors)?);
    let image = board_run::locate(board, args.firmware.as_deref())?;
    let summary = serve(board, &image, &model, args, &services, &narrator)?;
    let board = board.name.clone();
    if json {
        return report::json(&Json {
            board,
            frames: summary.frames,
            on_board: summary.on_board,
            offloaded: summary.offloaded,
            lost: summary.lost,
            adapter,
        });
    }
    println!();
    report::facts(&[
        ("board", board),
        ("frames", summary.frames.to_string()),
        ("answered on the board", summary.on_board.to_string()),
        (
            "answered by the heavier model",
            summary.offloaded.to_string(),
        ),
        ("lost", summary.lost.to_string()),
        ("exposures missed", summary.missed.to_string()),
        ("adapter", adapter),
        ("journal", services.journal.path().display().to_string()),
    ]);
    Ok(())
}

/// Starts the board with the plan of `model` and the shipped samples, and acquires them all.
fn serve(
    board: &'static Board,
    image: &Path,
    model: &Model,
    args: &Args,
    services: &Arc<Services>,
    narrator: &Narrator,
) -> Result<Counts> {
    let Board {
        name, description, ..
    } = board;
    narrator.leg("board", &format!("{name}: {description}"));
    let store = replay::encode(&frames(model)?)?;
    let options = LaunchOptions {
        plan: Some(model.plan.bytes()),
        replay: Some(&store),
        pins: args.pins.as_deref(),
        flash: None,
    };
    let running = launch(board, image, &options)?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let connected = Connected::new(running, image).await?;
        connected.must_run(&model.plan)?;
        narrator.connected(&connected);
        acquire(connected, Arc::clone(services), args, narrator).await
    })
}

/// Compiles a shipped model and writes its plan into `folder`.
fn compile(shipped: &Shipped, target: Target, folder: &Path, narrator: &Narrator) -> Result<Model> {
    let manifest = Manifest::parse(shipped.manifest, shipped.name)?;
    let model = Model::compile(
        shipped.onnx.to_vec(),
        shipped.name,
        &manifest,
        &How::packed_for(target),
    )?;
    let path = folder.join(shipped.name).with_extension("mtp");
    std::fs::create_dir_all(folder)?;
    std::fs::write(&path, model.plan.bytes())
        .with_context(|| format!("cannot write the plan {}", path.display()))?;
    let arena = model.plan.plan().manifest().arena_bytes;
    let text = format!(
        "{}: {} MACs, arena {} B, plan {} B",
        shipped.name,
        grouped(model.macs()),
        grouped(arena),
        grouped(model.plan.bytes().len())
    );
    narrator.leg("compile", &text);
    Ok(model)
}

/// The shipped samples as the board's sensor shows them.
fn frames(model: &Model) -> Result<Vec<Vec<u8>>> {
    let pictures = SAMPLES.iter().map(|(name, png)| {
        array::decode_picture(png).with_context(|| format!("the shipped sample {name}"))
    });
    let plan = model.plan.plan();
    let input = &plan.manifest().inputs[0];
    pictures
        .map(|picture| port::to_arena(&picture?, input))
        .collect()
}

fn services(folder: &Path, executors: &Executors) -> Result<Services> {
    let plans = Plans::load(&[folder.to_owned()])?;
    let queue_len = SAMPLES.len();
    let mut executors = executors.clone();
    let open = move |plan: &_| executors.open(plan);
    let offload = Offload::start(&plans.heavier(), queue_len, open)?;
    let journal = Journal::open(&folder.join("results.journal"), Retention::default())?;
    Ok(Services {
        plans,
        offload: Some(offload),
        journal,
        ledger: Arc::default(),
    })
}

/// Acquires the frames and tells of each.
async fn acquire(
    connected: Connected,
    services: Arc<Services>,
    args: &Args,
    narrator: &Narrator,
) -> Result<Counts> {
    let (stopper, mut stop) = stop();
    stopper.on_signals()?;
    let acquisition = Acquisition {
        frames: args.frames,
        period_us: args.period_us,
        offload: true,
        deadline_ms: DEADLINE_MS,
        mode: match args.mode {
            ModeName::Rate => Mode::Rate,
            ModeName::Latency => Mode::Latency,
        },
    };
    let Connected {
        mut running,
        session,
    } = connected;
    let mut instrument = Instrument::new(session, services);
    let mut seen = |record: &Record| narrator.result(record);
    let done = instrument.acquire(acquisition, &mut stop, &mut seen).await;
    if done.is_err() {
        running.check()?;
    }
    done?;
    Ok(instrument.summary())
}

/// Says what happens at each leg, unless only the JSON object is wanted.
struct Narrator {
    quiet: bool,
}

impl Narrator {
    fn leg(&self, leg: &str, text: &str) {
        if !self.quiet {
            println!("{leg:<8} {text}");
        }
    }

    fn connected(&self, connected: &Connected) {
        let identity = connected.session.identity();
        let plan = microtome_plan::plan::short(&identity.plan);
        let text = format!("{} {}, plan {plan}", identity.board, identity.firmware);
        self.leg("link", &text);
    }

    fn result(&self, record: &Record) {
        let name = SAMPLES
            .get(record.frame as usize % SAMPLES.len())
            .map_or("", |(name, _)| name);
        let legs = &record.latency_us;
        let ms = |us: u64| us as f64 / 1e3;
        let by = match (&record.heavier, legs.executor) {
            (Some(heavier), Some(us)) => format!("{} in {:.1} ms", heavier.model, ms(us)),
            _ => format!("board in {:.1} ms", ms(legs.inference)),
        };
        let text = format!(
            "{name:<13} {:<32} confidence {:.2} on the board; {by}; {:.1} ms in all",
            seen(&record.answer),
            record.board_confidence,
            ms(legs.total),
        );
        self.leg("result", &text);
    }
}

/// What was seen, counted by class.
fn seen(answer: &Answer) -> String {
    match answer {
        Answer::Raw => "raw".to_owned(),
        Answer::Class { class, score } => format!("{class} ({score:.2})"),
        Answer::Objects { found, .. } => {
            let mut counts = BTreeMap::<&str, usize>::new();
            for object in found {
                *counts.entry(&object.class).or_default() += 1;
            }
            let counts = counts
                .iter()
                .map(|(class, count)| format!("{count} {class}"));
            counts.collect::<Vec<_>>().join(", ")
        }
    }
}
