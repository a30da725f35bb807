//! Choosing an executor by name, and running a model on it with arrays as users have them.

use crate::array::{Array, Sample};
use crate::board_run::BoardRun;
use crate::model::Model;
use crate::port;
use crate::reference::Reference;
use anyhow::{Result, bail};
use microtome_backend::{Backend, CpuBackend};
use microtome_board::Board;
use microtome_gpu::{Gpu, GpuBackend, GpuOptions};
use microtome_plan::Target;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Instant;

/// An executor as the user names it.
#[derive(Clone, Copy, Debug)]
pub enum Name {
    /// Portable kernels on this computer's processor.
    Cpu,
    /// WGSL on an adapter that wgpu reaches.
    Gpu,
    /// tract, in float: the reference.
    Tract,
    /// A board, emulated.
    Board(&'static Board),
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu),
            "tract" => Ok(Self::Tract),
            board => microtome_board::find(board)
                .map(Self::Board)
                .map_err(|error| format!("neither cpu, gpu, tract nor a board: {error}")),
        }
    }
}

impl Name {
    /// What a model that it is to run is packed for. Executors of this machine pack by themselves
    /// what they load.
    pub fn target(self) -> Target {
        match self {
            Self::Board(board) => Target::named(&board.arch).unwrap_or(Target::Generic),
            Self::Cpu | Self::Gpu | Self::Tract => Target::Generic,
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
            Self::Tract => "tract",
            Self::Board(board) => &board.name,
        })
    }
}

/// What a batch gave.
pub struct Ran {
    /// Names and arrays of the outputs, the samples along the first axis.
    pub outputs: Vec<(String, Array)>,
    /// Mean time of one sample, in microseconds: of this computer's clock, or of the board's.
    pub latency_us: f64,
}

/// Runs `samples` of `model` on the executor called `name`.
pub fn run(
    name: Name,
    model: &Model,
    samples: &[Sample],
    firmware: Option<PathBuf>,
) -> Result<Ran> {
    match name {
        Name::Tract => Reference::of(model)?.run(samples),
        Name::Board(board) => run_board(board, model, samples, firmware),
        Name::Cpu | Name::Gpu => run_host(open(name, model)?.as_mut(), model, samples),
    }
}

/// The executor of this computer called `name`, with the model's plan.
pub fn open(name: Name, model: &Model) -> Result<Box<dyn Backend>> {
    let plan = model.plan.clone();
    Ok(match name {
        Name::Cpu => Box::new(CpuBackend::new(plan)),
        Name::Gpu => Box::new(GpuBackend::new(&Gpu::open(&GpuOptions::from_env())?, plan)?),
        other => bail!("{other} is no executor of this computer"),
    })
}

/// The bytes of each input of each sample, in the arena's order.
pub fn to_arena(model: &Model, samples: &[Sample]) -> Result<Vec<Vec<Vec<u8>>>> {
    let plan = model.plan.plan();
    let inputs = &plan.manifest().inputs;
    let to_arena = |sample: &Sample| {
        let pairs = sample.iter().zip(inputs);
        pairs
            .map(|(array, port)| port::to_arena(array, port))
            .collect()
    };
    samples.iter().map(to_arena).collect()
}

/// The inputs of each sample one after another: a frame, as boards take it.
pub fn to_frames(model: &Model, samples: &[Sample]) -> Result<Vec<Vec<u8>>> {
    let samples = to_arena(model, samples)?;
    Ok(samples.iter().map(|inputs| inputs.concat()).collect())
}

/// The inputs of each sample as executors take them.
pub fn borrowed(samples: &[Vec<Vec<u8>>]) -> Vec<Vec<&[u8]>> {
    let mut batch = Vec::new();
    for sample in samples {
        batch.push(sample.iter().map(|input| &input[..]).collect());
    }
    batch
}

/// The outputs of a batch as the model's user has them, from each sample's outputs.
pub fn from_arena(model: &Model, outputs: &[Vec<Vec<u8>>]) -> Result<Vec<(String, Array)>> {
    let plan = model.plan.plan();
    let ports = plan.manifest().outputs.iter().enumerate();
    ports
        .map(|(index, port)| {
            let values: Vec<&[u8]> = outputs.iter().map(|sample| &sample[index][..]).collect();
            Ok((port.name.to_owned(), port::from_arena(&values, port)?))
        })
        .collect()
}

fn run_host(backend: &mut dyn Backend, model: &Model, samples: &[Sample]) -> Result<Ran> {
    let values = to_arena(model, samples)?;
    let batch = borrowed(&values);
    let begin = Instant::now();
    let outputs = backend.run(&batch)?;
    let latency_us = begin.elapsed().as_secs_f64() * 1e6 / samples.len() as f64;
    Ok(Ran {
        outputs: from_arena(model, &outputs)?,
        latency_us,
    })
}

fn run_board(
    board: &'static Board,
    model: &Model,
    samples: &[Sample],
    firmware: Option<PathBuf>,
) -> Result<Ran> {
    let frames = to_frames(model, samples)?;
    let ran = BoardRun {
        board,
        firmware,
        profile: false,
    }
    .run(&model.plan, &frames)?;
    let ticks: u64 = ran.samples.iter().map(|sample| sample.ticks).sum();
    let latency_us = ticks as f64 * 1e6 / ran.ticks_hz / samples.len() as f64;
    let outputs: Vec<_> = ran
        .samples
        .into_iter()
        .map(|sample| sample.outputs)
        .collect();
    Ok(Ran {
        outputs: from_arena(model, &outputs)?,
        latency_us,
    })
}
