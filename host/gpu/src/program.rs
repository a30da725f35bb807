//! Compute programs: their text, and their pipelines on one device.
//!
//! A program is one WGSL module: what is common to all, how elements are given out, and the
//! operator itself. Every one is validated by a test that needs no GPU. A pipeline is built when
//! the first plan needs it and is shared by all plans of the device.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A compute program with the entry point `main`.
#[derive(Debug)]
pub(crate) struct Program {
    /// Its operator and variant, for labels and errors.
    pub name: &'static str,
    /// How elements are given out, and what becomes of results.
    order: &'static [&'static str],
    parts: &'static [&'static str],
}

const COMMON: &str = include_str!("shaders/common.wgsl");
const FIXED_POINT: &str = include_str!("shaders/fixed_point.wgsl");
const BY_ELEMENT: &str = include_str!("shaders/by_element.wgsl");
const BY_QUAD: &str = include_str!("shaders/by_quad.wgsl");
const BY_WORD: &str = include_str!("shaders/by_word.wgsl");
const BY_FLOAT: &str = include_str!("shaders/by_float.wgsl");
const MATH: &str = include_str!("shaders/math.wgsl");
const CHAIN: &str = include_str!("shaders/chain.wgsl");

/// The override constants of `chain.wgsl`: function and mode of each stage.
const OVERRIDES: [[&str; 2]; 4] = [
    ["FUNCTION_0", "MODE_0"],
    ["FUNCTION_1", "MODE_1"],
    ["FUNCTION_2", "MODE_2"],
    ["FUNCTION_3", "MODE_3"],
];

impl Program {
    /// A program whose parts define `element`.
    pub(crate) const fn by_element(name: &'static str, parts: &'static [&'static str]) -> Self {
        Self {
            name,
            order: &[BY_QUAD, BY_ELEMENT],
            parts,
        }
    }

    /// A program whose parts define `quad`: four elements at a time.
    pub(crate) const fn by_quad(name: &'static str, parts: &'static [&'static str]) -> Self {
        Self {
            name,
            order: &[BY_QUAD],
            parts,
        }
    }

    /// A program whose parts define `word`: one element of 32 bits at a time.
    pub(crate) const fn by_word(name: &'static str, parts: &'static [&'static str]) -> Self {
        Self {
            name,
            order: &[BY_WORD],
            parts,
        }
    }

    /// A program whose parts define `value`: one float at a time, which goes through a chain.
    pub(crate) const fn by_float(name: &'static str, parts: &'static [&'static str]) -> Self {
        Self {
            name,
            order: &[MATH, CHAIN, BY_FLOAT],
            parts,
        }
    }

    /// A program whose parts define `main`, and put floats through a chain.
    pub(crate) const fn with_chain(name: &'static str, parts: &'static [&'static str]) -> Self {
        Self {
            name,
            order: &[MATH, CHAIN],
            parts,
        }
    }

    /// A program whose parts define `main`.
    pub(crate) const fn whole(name: &'static str, parts: &'static [&'static str]) -> Self {
        Self {
            name,
            order: &[],
            parts,
        }
    }

    /// The module's text.
    pub(crate) fn source(&self) -> String {
        let parts = [COMMON, FIXED_POINT]
            .iter()
            .chain(self.order)
            .chain(self.parts);
        parts.copied().collect()
    }
}

/// A program's name, and function and mode of each stage that its pipeline is built for.
type Key = (&'static str, Vec<[u32; 2]>);

/// The pipelines of a device, and the bindings of `common.wgsl` that all of them have.
#[derive(Debug)]
pub(crate) struct Pipelines {
    pub bindings: wgpu::BindGroupLayout,
    layout: wgpu::PipelineLayout,
    built: Mutex<HashMap<Key, wgpu::ComputePipeline>>,
}

impl Pipelines {
    pub(crate) fn new(device: &wgpu::Device) -> Self {
        let storage = |binding, read_only, has_dynamic_offset| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only },
                has_dynamic_offset,
                min_binding_size: None,
            },
            count: None,
        };
        let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: None,
            entries: &[
                storage(0, false, false),
                storage(1, true, false),
                storage(2, true, true),
                storage(3, false, false),
            ],
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        Self {
            bindings,
            layout,
            built: Mutex::default(),
        }
    }

    /// The pipeline of `program` with a chain of these functions and modes; not usable where the
    /// device refuses it, which only an error scope tells.
    pub(crate) fn get(
        &self,
        device: &wgpu::Device,
        program: &Program,
        chain: &[[u32; 2]],
    ) -> wgpu::ComputePipeline {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let build = || self.build(device, program, chain);
        let key = (program.name, chain.to_vec());
        built.entry(key).or_insert_with(build).clone()
    }

    fn build(
        &self,
        device: &wgpu::Device,
        program: &Program,
        chain: &[[u32; 2]],
    ) -> wgpu::ComputePipeline {
        let constants: Vec<(&str, f64)> = OVERRIDES
            .iter()
            .zip(chain)
            .flat_map(|(names, values)| names.iter().zip(values))
            .map(|(&name, &value)| (name, f64::from(value)))
            .collect();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(program.name),
            source: wgpu::ShaderSource::Wgsl(program.source().into()),
        });
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(program.name),
            layout: Some(&self.layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                ..Default::default()
            },
            cache: None,
        })
    }
}
