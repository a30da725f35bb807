//! The GPU as a backend of one plan.

use crate::batch::Batch;
use crate::device::Gpu;
use crate::error::GpuError;
use crate::ops::{self, Dispatch, Job, Lowered, PARAMS_STRIDE, WORD_BYTES};
use microtome_backend::{Backend, BackendError, Inputs, Outputs, check_inputs};
use microtome_plan::{PlanBuf, Port, Target, repack};
use std::time::{Duration, Instant};
use wgpu::BufferUsages;

/// Most samples that run in one submission; larger batches are cut.
const SAMPLES_MAX: usize = 64;
/// The longest that a submission of more than one sample is meant to take: far from any limit of a
/// wait, and from a driver's own.
const SUBMISSION_TIME_MAX: Duration = Duration::from_secs(1);

/// Runs one plan on a [`Gpu`]. Constants and programs are uploaded once; buffers grow with the
/// largest batch.
#[derive(Debug)]
pub struct GpuBackend {
    gpu: Gpu,
    plan: PlanBuf,
    loaded: Loaded,
    /// Most samples that the adapter's buffers hold, at least one.
    samples_max: usize,
    /// Made when it is first needed, and anew after an error.
    batch: Option<Batch>,
    /// The shortest time that a sample has taken; `None` before the first run.
    each: Option<Duration>,
}

/// What of a plan lies on the device, whatever the batch.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub sample_words: usize,
    /// What lies before the arenas of the samples.
    pub shared: Vec<u8>,
    pub constants: wgpu::Buffer,
    pub params: wgpu::Buffer,
    pub steps: Vec<LoadedStep>,
}

impl Loaded {
    /// The job of a program that writes the input `port` of every sample.
    pub(crate) fn job(&self, port: &Port<'_>) -> Job {
        Job {
            sample_words: self.sample_words as u32,
            shared_words: (self.shared.len() / WORD_BYTES) as u32,
            output_at: port.at.0 as u32,
            output_len: port.len() as u32,
            chain_at: 0,
        }
    }
}

/// A step: its pipeline, and its invocations for each sample.
#[derive(Debug)]
pub(crate) struct LoadedStep {
    /// Name of the plan's step.
    pub name: String,
    /// Name of its program.
    pub program: &'static str,
    pub pipeline: wgpu::ComputePipeline,
    pub invocations: usize,
}

impl GpuBackend {
    /// Name of the executor, as errors and [`Backend::name`] print it.
    pub const NAME: &str = "gpu";

    /// Uploads `plan` and builds its programs.
    ///
    /// # Errors
    /// When the adapter cannot hold the plan, or refuses a program, or is lost.
    pub fn new(gpu: &Gpu, plan: PlanBuf) -> Result<Self, GpuError> {
        // The programs pack rows of weights themselves.
        let plan = if Target::Gpu.suits(&plan.plan()) {
            plan
        } else {
            repack(&plan, Target::Gpu).map_err(GpuError::Repack)?
        };
        let fits = |bytes| gpu.check_fits("constants", bytes as u64);
        let lowered = ops::lower(&plan.plan(), fits)?;
        let sample_bytes = (lowered.sample_words * WORD_BYTES) as u64;
        let shared_bytes = lowered.shared.len() as u64;
        gpu.check_fits("activations", shared_bytes + sample_bytes)?;
        let fit = ((gpu.bytes_max() - shared_bytes) / sample_bytes) as usize;
        let loaded = load(gpu, lowered)?;
        Ok(Self {
            gpu: gpu.clone(),
            plan,
            loaded,
            samples_max: fit.min(SAMPLES_MAX),
            batch: None,
            each: None,
        })
    }

    /// The device that it runs on.
    pub(crate) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The plan, as it is packed here.
    pub(crate) fn plan(&self) -> &PlanBuf {
        &self.plan
    }

    /// What of the plan lies on the device.
    pub(crate) fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// Whether it has not run yet.
    pub(crate) fn is_new(&self) -> bool {
        self.each.is_none()
    }

    /// Samples of the next submission: one, until it is known how long that takes.
    pub(crate) fn samples_next(&self) -> usize {
        let within = |each: Duration| {
            let within = SUBMISSION_TIME_MAX.as_nanos() / each.as_nanos().max(1);
            usize::try_from(within).unwrap_or(usize::MAX).max(1)
        };
        self.samples_max.min(self.each.map_or(1, within))
    }

    /// Learns from a submission how long a sample takes.
    pub(crate) fn learn(&mut self, took: Duration, samples: usize) {
        let each = took / samples.max(1) as u32;
        self.each = Some(self.each.map_or(each, |known| known.min(each)));
    }

    /// Buffers for at least `samples` samples. What an error leaves behind is not used again:
    /// after success, [`Self::keep_batch`] gives them back.
    pub(crate) fn take_batch(&mut self, samples: usize) -> Result<Batch, GpuError> {
        let batch = self.batch.take();
        if let Some(batch) = batch.filter(|batch| batch.capacity() >= samples) {
            return Ok(batch);
        }
        let capacity = samples.next_power_of_two().min(self.samples_max);
        let plan = self.plan.plan();
        Batch::new(&self.gpu, &self.loaded, plan.manifest(), capacity)
    }

    /// Keeps buffers for the next batch.
    pub(crate) fn keep_batch(&mut self, batch: Batch) {
        self.batch = Some(batch);
    }

    fn run_batch(&mut self, samples: &[Inputs<'_>]) -> Result<Vec<Outputs>, GpuError> {
        let batch = self.take_batch(samples.len())?;
        let begun = Instant::now();
        let outputs = {
            let plan = self.plan.plan();
            batch.run(&self.gpu, &self.loaded, plan.manifest(), samples)?
        };
        self.keep_batch(batch);
        self.learn(begun.elapsed(), samples.len());
        Ok(outputs)
    }
}

impl Backend for GpuBackend {
    fn name(&self) -> String {
        format!("{} ({})", Self::NAME, self.gpu.adapter_name())
    }

    fn batch_max(&self) -> usize {
        self.samples_max
    }

    fn run(&mut self, samples: &[Inputs<'_>]) -> Result<Vec<Outputs>, BackendError> {
        check_inputs(self.plan.plan().manifest(), samples)?;
        let mut outputs = Vec::with_capacity(samples.len());
        while let Some(rest) = samples.get(outputs.len()..).filter(|rest| !rest.is_empty()) {
            let batch = self
                .run_batch(&rest[..rest.len().min(self.samples_next())])
                .map_err(|error| BackendError::Failed {
                    executor: Self::NAME,
                    cause: error.to_string(),
                })?;
            outputs.extend(batch);
        }
        Ok(outputs)
    }
}

fn load(gpu: &Gpu, lowered: Lowered) -> Result<Loaded, GpuError> {
    let mut params = vec![0; (lowered.dispatches.len() * PARAMS_STRIDE).max(PARAMS_STRIDE)];
    for (slot, dispatch) in params.chunks_mut(PARAMS_STRIDE).zip(&lowered.dispatches) {
        slot[..dispatch.params.len()].copy_from_slice(&dispatch.params);
    }
    let constants: &[u8] = bytemuck::cast_slice(&lowered.constants);
    gpu.check_fits("parameters", params.len() as u64)?;
    gpu.create(|| {
        let step = |dispatch: &Dispatch| LoadedStep {
            name: dispatch.name.clone(),
            program: dispatch.program.name,
            pipeline: gpu
                .pipelines
                .get(&gpu.device, dispatch.program, &dispatch.overrides),
            invocations: dispatch.invocations,
        };
        Loaded {
            sample_words: lowered.sample_words,
            shared: lowered.shared,
            constants: upload(gpu, "constants", constants),
            params: upload(gpu, "parameters", &params),
            steps: lowered.dispatches.iter().map(step).collect(),
        }
    })
}

/// A buffer with these bytes; one without any cannot be bound and gets one vector of zeros.
fn upload(gpu: &Gpu, label: &'static str, bytes: &[u8]) -> wgpu::Buffer {
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: bytes.len().max(size_of::<[u32; 4]>()) as u64,
        usage: BufferUsages::STORAGE | BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    gpu.queue.write_buffer(&buffer, 0, bytes);
    buffer
}
