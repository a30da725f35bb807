//! RISE on the GPU: one image goes up and one map comes down; masks, masked copies, scores and sums
//! are made where the samples lie. The specification is [`microtome_backend::rise`].

use crate::backend::GpuBackend;
use crate::batch::{Batch, bind};
use crate::error::GpuError;
use crate::ops::{Job, PARAMS_STRIDE, WORD_BYTES};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_backend::rise::{Image, Rise, RiseError};
use microtome_backend::{Backend as _, BackendError, check_inputs};
use microtome_plan::{Element, Manifest};
use wgpu::BufferUsages;

const MASK: &str = include_str!("shaders/rise/mask.wgsl");
const MASKED: &str = include_str!("shaders/rise/masked.wgsl");
const MASKED_BYTES: Program = Program::by_element(
    "rise_masked_bytes",
    &[MASK, MASKED, include_str!("shaders/rise/masked_bytes.wgsl")],
);
const MASKED_WORDS: Program = Program::by_word(
    "rise_masked_words",
    &[MASK, MASKED, include_str!("shaders/rise/masked_words.wgsl")],
);
const SCORE: Program = Program::whole(
    "rise_score",
    &[MASK, include_str!("shaders/rise/score.wgsl")],
);
const SUM: Program = Program::whole("rise_sum", &[MASK, include_str!("shaders/rise/sum.wgsl")]);

/// Every program there is here.
#[cfg(test)]
pub(crate) const PROGRAMS: [&Program; 4] = [&MASKED_BYTES, &MASKED_WORDS, &SCORE, &SUM];

/// `Params` in `mask.wgsl`.
#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    height: u32,
    width: u32,
    channels: u32,
    cell: [u32; 2],
    nodes: [u32; 2],
    seed: u32,
    threshold: u32,
    keeps_all: u32,
    first_mask: u32,
    count: u32,
    input_zero: f32,
    output_at: u32,
    output_is_int8: u32,
    output_scale: f32,
    output_zero: i32,
    score_first: u32,
    score_step: u32,
    score_count: u32,
}

const _: () = assert!(size_of::<Params>() <= PARAMS_STRIDE);

impl GpuBackend {
    /// The saliency of every pixel, row by row, within float tolerance of
    /// [`microtome_backend::rise::explain`].
    ///
    /// # Errors
    /// When the plan cannot be explained so, or the adapter fails.
    pub fn rise(&mut self, input: &[u8], rise: &Rise) -> Result<Vec<f32>, RiseError> {
        let plan = self.plan().clone();
        let plan = plan.plan();
        let image = Image::of(plan.manifest(), rise)?;
        check_inputs(plan.manifest(), &[vec![input]])?;
        // Until a run has told how long a sample takes, there is no telling how many fit.
        if self.is_new() {
            self.run(&[vec![input]])?;
        }
        let sums = self
            .take_batch(self.samples_next().min(rise.masks as usize))
            .and_then(|batch| {
                let sums = self.sums(&batch, plan.manifest(), &image, input, rise)?;
                self.keep_batch(batch);
                Ok(sums)
            })
            .map_err(|error| BackendError::Failed {
                executor: Self::NAME,
                cause: error.to_string(),
            })?;
        let weight = 1.0 / (rise.masks as f32 * rise.keep);
        Ok(sums.into_iter().map(|sum| sum * weight).collect())
    }

    fn sums(
        &self,
        batch: &Batch,
        manifest: &Manifest<'_>,
        image: &Image,
        input: &[u8],
        rise: &Rise,
    ) -> Result<Vec<f32>, GpuError> {
        let (gpu, loaded) = (self.gpu(), self.loaded());
        let map_bytes = (image.pixels() + batch.capacity()) * WORD_BYTES;
        gpu.check_fits("saliency", map_bytes as u64)?;
        let masked = match manifest.inputs[0].element {
            Element::F32 => &MASKED_WORDS,
            _ => &MASKED_BYTES,
        };
        let place = gpu.create(|| {
            let buffer = |label, bytes: usize, usage| {
                gpu.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some(label),
                    size: bytes.next_multiple_of(16) as u64,
                    usage: usage | BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                })
            };
            let pixels = buffer("image", input.len(), BufferUsages::STORAGE);
            let mut whole = input.to_vec();
            whole.resize(input.len().next_multiple_of(16), 0);
            gpu.queue.write_buffer(&pixels, 0, &whole);
            let params = buffer("masks", PARAMS_STRIDE, BufferUsages::STORAGE);
            let map = buffer(
                "saliency",
                map_bytes,
                BufferUsages::STORAGE | BufferUsages::COPY_SRC,
            );
            let pipeline = |program| gpu.pipelines.get(&gpu.device, program, &[]);
            Place {
                masked: pipeline(masked),
                score: pipeline(&SCORE),
                sum: pipeline(&SUM),
                to_samples: bind(gpu, [batch.arena(), &pixels, &params, batch.arena()]),
                to_map: bind(gpu, [&map, &pixels, &params, batch.arena()]),
                read: buffer("map", image.pixels() * WORD_BYTES, BufferUsages::MAP_READ),
                params,
                map,
            }
        })?;
        let mut params = params(manifest, image, rise, loaded.job(&manifest.inputs[0]));
        while params.first_mask < rise.masks {
            let left = (rise.masks - params.first_mask) as usize;
            params.count = left.min(batch.capacity()) as u32;
            gpu.queue
                .write_buffer(&place.params, 0, bytemuck::bytes_of(&params));
            let samples = params.count as usize;
            let elements = manifest.inputs[0].len_bytes().div_ceil(WORD_BYTES);
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            place.encode_masked(&mut encoder, elements, samples);
            batch.encode_all(&mut encoder, loaded, samples);
            place.encode_sums(&mut encoder, samples, image.pixels());
            gpu.wait(gpu.queue.submit([encoder.finish()]))?;
            params.first_mask += params.count;
        }
        place.read(self, image.pixels())
    }
}

/// What a call has on the device.
struct Place {
    masked: wgpu::ComputePipeline,
    score: wgpu::ComputePipeline,
    sum: wgpu::ComputePipeline,
    to_samples: wgpu::BindGroup,
    to_map: wgpu::BindGroup,
    params: wgpu::Buffer,
    map: wgpu::Buffer,
    read: wgpu::Buffer,
}

impl Place {
    fn encode_masked(&self, encoder: &mut wgpu::CommandEncoder, words: usize, samples: usize) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_bind_group(0, &self.to_samples, &[0]);
        dispatch(&mut pass, &self.masked, words, samples);
    }

    fn encode_sums(&self, encoder: &mut wgpu::CommandEncoder, samples: usize, pixels: usize) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_bind_group(0, &self.to_map, &[0]);
        dispatch(&mut pass, &self.score, samples, 1);
        dispatch(&mut pass, &self.sum, pixels, 1);
    }

    fn read(&self, backend: &GpuBackend, pixels: usize) -> Result<Vec<f32>, GpuError> {
        let gpu = backend.gpu();
        let bytes = (pixels * WORD_BYTES) as u64;
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.map, 0, &self.read, 0, bytes);
        let submission = gpu.queue.submit([encoder.finish()]);
        self.read.map_async(wgpu::MapMode::Read, 0..bytes, |_| ());
        gpu.wait(submission)?;
        match self.read.get_mapped_range(0..bytes) {
            Ok(bytes) => Ok(bytemuck::pod_collect_to_vec(&bytes)),
            Err(error) => Err(gpu.unreadable(&error)),
        }
    }
}

fn dispatch(
    pass: &mut wgpu::ComputePass<'_>,
    pipeline: &wgpu::ComputePipeline,
    invocations: usize,
    samples: usize,
) {
    let [columns, rows] = crate::batch::groups(invocations);
    pass.set_pipeline(pipeline);
    pass.dispatch_workgroups(columns, rows, samples as u32);
}

fn params(manifest: &Manifest<'_>, image: &Image, rise: &Rise, job: Job) -> Params {
    let (input, output) = (&manifest.inputs[0], &manifest.outputs[0]);
    Params {
        job,
        height: image.height as u32,
        width: image.width as u32,
        channels: image.channels as u32,
        cell: rise.cell(image).map(|size| size as u32),
        nodes: rise.grid.map(|size| size as u32 + 2),
        seed: rise.seed,
        threshold: rise.threshold(),
        keeps_all: u32::from(rise.keep >= 1.0),
        first_mask: 0,
        count: 0,
        input_zero: input.zero.into(),
        output_at: output.at.0 as u32,
        output_is_int8: u32::from(output.element == Element::I8),
        output_scale: output.scale,
        output_zero: output.zero.into(),
        score_first: rise.score.first as u32,
        score_step: rise.score.step as u32,
        score_count: rise.score.count as u32,
    }
}
