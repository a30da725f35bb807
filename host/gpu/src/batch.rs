//! The buffers of a batch, and the one submission that runs it.
//!
//! The arenas of the samples lie one after another in one buffer, behind what all of them read. Outputs are copied to a second
//! buffer that the host reads: for each sample its output ports, each from a whole word on.

use crate::backend::Loaded;
use crate::device::Gpu;
use crate::error::GpuError;
use crate::ops::{PARAMS_STRIDE, WORD_BYTES};
use microtome_backend::{Inputs, Outputs};
use microtome_plan::{Manifest, Port};
use std::num::NonZeroU64;
use std::ops::Range;
use std::time::Instant;
use wgpu::BufferUsages;

/// Most workgroups along one axis of a dispatch: WebGPU's default limit.
pub(crate) const GROUPS_MAX: u32 = 65_535;
/// Invocations of a workgroup, as `common.wgsl` declares it.
pub(crate) const GROUP_SIZE: u32 = 64;

/// Buffers for up to `capacity` samples.
#[derive(Debug)]
pub(crate) struct Batch {
    capacity: usize,
    arena: wgpu::Buffer,
    readback: wgpu::Buffer,
    bindings: wgpu::BindGroup,
}

impl Batch {
    pub(crate) fn new(
        gpu: &Gpu,
        loaded: &Loaded,
        manifest: &Manifest<'_>,
        capacity: usize,
    ) -> Result<Self, GpuError> {
        gpu.create(|| {
            let buffer = |label, bytes: usize, usage| {
                gpu.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some(label),
                    size: bytes as u64,
                    usage,
                    mapped_at_creation: false,
                })
            };
            let arena = buffer(
                "activations",
                loaded.shared.len() + capacity * loaded.sample_words * WORD_BYTES,
                BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC,
            );
            let readback = buffer(
                "outputs",
                capacity * outputs_bytes(manifest),
                BufferUsages::COPY_DST | BufferUsages::MAP_READ,
            );
            gpu.queue.write_buffer(&arena, 0, &loaded.shared);
            let bindings = bind(gpu, [&arena, &loaded.constants, &loaded.params, &arena]);
            Self {
                capacity,
                arena,
                readback,
                bindings,
            }
        })
    }

    /// Samples that fit.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The arenas of the samples, behind what all of them read.
    pub(crate) fn arena(&self) -> &wgpu::Buffer {
        &self.arena
    }

    /// Encodes all steps for the first `samples` samples.
    pub(crate) fn encode_all(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        loaded: &Loaded,
        samples: usize,
    ) {
        self.encode_steps(encoder, loaded, 0..loaded.steps.len(), samples);
    }

    /// Runs `samples`, no more than fit and at least one, whose inputs fit the plan.
    pub(crate) fn run(
        &self,
        gpu: &Gpu,
        loaded: &Loaded,
        manifest: &Manifest<'_>,
        samples: &[Inputs<'_>],
    ) -> Result<Vec<Outputs>, GpuError> {
        gpu.check()?;
        self.write_inputs(gpu, loaded, manifest, samples);
        let descriptor = wgpu::CommandEncoderDescriptor::default();
        let mut encoder = gpu.device.create_command_encoder(&descriptor);
        if tracing::enabled!(tracing::Level::TRACE) {
            self.run_timed(gpu, loaded, samples.len())?;
        } else {
            self.encode_all(&mut encoder, loaded, samples.len());
        }
        self.encode_readback(&mut encoder, loaded, manifest, samples.len());
        let submission = gpu.queue.submit([encoder.finish()]);
        let used = (samples.len() * outputs_bytes(manifest)) as u64;
        // Whether it worked is asked below, by getting the range.
        self.readback
            .map_async(wgpu::MapMode::Read, 0..used, |_| ());
        gpu.wait(submission)?;
        let outputs = match self.readback.get_mapped_range(0..used) {
            Ok(bytes) => split_outputs(&bytes, manifest),
            Err(error) => return Err(gpu.unreadable(&error)),
        };
        self.readback.unmap();
        Ok(outputs)
    }

    fn write_inputs(
        &self,
        gpu: &Gpu,
        loaded: &Loaded,
        manifest: &Manifest<'_>,
        samples: &[Inputs<'_>],
    ) {
        for (sample, inputs) in samples.iter().enumerate() {
            for (port, values) in manifest.inputs.iter().zip(inputs) {
                // Whole words are written; nothing lies behind an input in its last word.
                let mut bytes: Vec<u8> = values.to_vec();
                bytes.resize(port_bytes(port), 0);
                gpu.queue
                    .write_buffer(&self.arena, arena_offset(loaded, sample, port), &bytes);
            }
        }
    }

    /// Runs every step in a submission of its own, and tells how long each took.
    fn run_timed(&self, gpu: &Gpu, loaded: &Loaded, samples: usize) -> Result<(), GpuError> {
        for (index, step) in loaded.steps.iter().enumerate() {
            let start = Instant::now();
            let descriptor = wgpu::CommandEncoderDescriptor::default();
            let mut encoder = gpu.device.create_command_encoder(&descriptor);
            self.encode_steps(&mut encoder, loaded, index..index + 1, samples);
            gpu.wait(gpu.queue.submit([encoder.finish()]))?;
            let us = start.elapsed().as_micros() as u64;
            tracing::trace!(step = step.name, program = step.program, us, "ran");
        }
        Ok(())
    }

    fn encode_steps(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        loaded: &Loaded,
        range: Range<usize>,
        samples: usize,
    ) {
        // wgpu makes each dispatch wait for the one before it, as they write the same buffer.
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        for (index, step) in loaded
            .steps
            .iter()
            .enumerate()
            .take(range.end)
            .skip(range.start)
        {
            let [columns, rows] = groups(step.invocations);
            pass.set_pipeline(&step.pipeline);
            pass.set_bind_group(0, &self.bindings, &[(index * PARAMS_STRIDE) as u32]);
            pass.dispatch_workgroups(columns, rows, samples as u32);
        }
    }

    fn encode_readback(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        loaded: &Loaded,
        manifest: &Manifest<'_>,
        samples: usize,
    ) {
        let mut to = 0;
        for sample in 0..samples {
            for port in &manifest.outputs {
                let bytes = port_bytes(port) as u64;
                let at = arena_offset(loaded, sample, port);
                encoder.copy_buffer_to_buffer(&self.arena, at, &self.readback, to, bytes);
                to += bytes;
            }
        }
    }
}

/// Workgroups along both axes of a dispatch of so many invocations.
pub(crate) fn groups(invocations: usize) -> [u32; 2] {
    let groups = (invocations as u32).div_ceil(GROUP_SIZE);
    let columns = groups.min(GROUPS_MAX);
    [columns, groups.div_ceil(columns)]
}

/// The bindings of `common.wgsl`.
pub(crate) fn bind(gpu: &Gpu, buffers: [&wgpu::Buffer; 4]) -> wgpu::BindGroup {
    let [arena, constants, params, arena_quads] = buffers;
    let params = wgpu::BufferBinding {
        buffer: params,
        offset: 0,
        size: NonZeroU64::new(PARAMS_STRIDE as u64),
    };
    let resources = [
        arena.as_entire_binding(),
        constants.as_entire_binding(),
        wgpu::BindingResource::Buffer(params),
        arena_quads.as_entire_binding(),
    ];
    let entries: Vec<_> = (0..)
        .zip(resources)
        .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
        .collect();
    gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &gpu.pipelines.bindings,
        entries: &entries,
    })
}

/// Bytes of a port in whole words.
fn port_bytes(port: &Port<'_>) -> usize {
    port.len_bytes().next_multiple_of(WORD_BYTES)
}

/// Bytes that one sample has in the readback buffer.
fn outputs_bytes(manifest: &Manifest<'_>) -> usize {
    manifest.outputs.iter().map(port_bytes).sum()
}

fn arena_offset(loaded: &Loaded, sample: usize, port: &Port<'_>) -> u64 {
    (loaded.shared.len() + sample * loaded.sample_words * WORD_BYTES + port.at.0) as u64
}

fn split_outputs(bytes: &[u8], manifest: &Manifest<'_>) -> Vec<Outputs> {
    let split = |mut rest: &[u8]| {
        let mut outputs = Outputs::new();
        for port in &manifest.outputs {
            let (words, behind) = rest.split_at(port_bytes(port));
            outputs.push(words[..port.len_bytes()].to_vec());
            rest = behind;
        }
        outputs
    };
    bytes
        .chunks_exact(outputs_bytes(manifest))
        .map(split)
        .collect()
}
