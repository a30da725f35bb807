//! What the tests of this crate share: tiny models, and running plans on model-side arrays.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod onnx;
pub mod random;

use microtome_compiler::{Compiled, Options, compile};
use microtome_exec::Executor;
use microtome_kernels::Element;
use microtome_plan::{PlanBuf, Port};

/// The compiled model; panics with the refusal.
pub fn compiled(model: &[u8]) -> Compiled {
    compile(model, &Options::new("test")).unwrap_or_else(|error| panic!("{error}"))
}

/// The int8 outputs of `plan`, in the arena's order, for int8 inputs in the arena's order.
pub fn run(plan: &PlanBuf, inputs: &[Vec<i8>]) -> Vec<Vec<i8>> {
    let plan = plan.plan();
    // A stale arena must not matter.
    let mut arena = vec![0x5a5a_5a5a_u32; plan.manifest().arena_bytes.div_ceil(4)];
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut arena);
    let mut executor = Executor::new(&plan, bytes).unwrap();
    for (index, input) in inputs.iter().enumerate() {
        let bytes = bytemuck::cast_slice(input);
        executor.input_mut(index).copy_from_slice(bytes);
    }
    executor.run(&mut ());
    let outputs = 0..plan.manifest().outputs.len();
    outputs
        .map(|index| bytemuck::cast_slice(executor.output(index)).to_vec())
        .collect()
}

/// The real outputs of `plan` for real inputs, both in the model's order: floats where the plan has
/// floats, and else by the ports' scales.
pub fn run_real(plan: &PlanBuf, inputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let parsed = plan.plan();
    let manifest = parsed.manifest();
    let mut arena = vec![0x5a5a_5a5a_u32; manifest.arena_bytes.div_ceil(4)];
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut arena);
    let mut executor = Executor::new(&parsed, bytes).unwrap();
    for (index, (port, input)) in manifest.inputs.iter().zip(inputs).enumerate() {
        let values = to_arena(port, input);
        let bytes = match port.element {
            Element::F32 => bytemuck::cast_slice(&values).to_vec(),
            _ => values
                .iter()
                .map(|&real| port.quantize(real).cast_unsigned())
                .collect(),
        };
        executor.input_mut(index).copy_from_slice(&bytes);
    }
    executor.run(&mut ());
    let outputs = manifest.outputs.iter().enumerate();
    let real = |(index, port): (usize, &Port<'_>)| {
        let bytes = executor.output(index);
        let values: Vec<f32> = match port.element {
            Element::F32 => bytemuck::pod_collect_to_vec(bytes),
            _ => bytes
                .iter()
                .map(|&it| port.dequantize(it.cast_signed()))
                .collect(),
        };
        from_arena(port, &values)
    };
    outputs.map(real).collect()
}

/// Elements in the model's order as the arena has them.
pub fn to_arena<T: Copy>(port: &Port<'_>, values: &[T]) -> Vec<T> {
    places(port).iter().map(|&index| values[index]).collect()
}

/// Elements in the arena's order as the model has them.
pub fn from_arena<T: Copy + Default>(port: &Port<'_>, values: &[T]) -> Vec<T> {
    let mut model = vec![T::default(); values.len()];
    for (&index, &value) in places(port).iter().zip(values) {
        model[index] = value;
    }
    model
}

/// For each place in the arena, the model's row-major index.
fn places(port: &Port<'_>) -> Vec<usize> {
    let shape = ndarray::IxDyn(&port.dims);
    let indices = ndarray::ArrayD::from_shape_vec(shape, (0..port.len()).collect()).unwrap();
    let axes: Vec<usize> = port.order.iter().map(|&axis| axis.into()).collect();
    indices.permuted_axes(axes).iter().copied().collect()
}

/// Reproducible int8 noise.
pub fn noise(seed: u64, count: usize) -> Vec<i8> {
    let mut state = seed + 1;
    let draws = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8 as i8
    });
    draws.take(count).collect()
}
