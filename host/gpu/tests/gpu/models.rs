//! The shipped models and random float layers: what the CPU executor computes, within the tolerance
//! of floats, and bit for bit in integers. What is not a number harms nobody.

use crate::support::Builder;
use microtome_backend::{Backend, CpuBackend};
use microtome_compiler::{Options, compile};
use microtome_gpu::{Gpu, GpuBackend};
use microtome_kernels::Packing;
use microtome_kernels::cases::Rng;
use microtome_kernels::float::{
    conv_transpose::ConvTransposeF32, conv2d::ConvF32, depthwise::DepthwiseF32, source::Source,
    window,
};
use microtome_kernels::num::{Shape, Window};
use microtome_kernels::operator::{Element, Extent};
use microtome_plan::{Op, PlanBuf};
use std::path::{Path, PathBuf};

/// The largest difference, relative to the largest output.
const TOLERANCE: f32 = 1e-4;

fn models() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let folders = std::fs::read_dir(folder).expect("the models are there");
    let files = folders.flat_map(|entry| {
        let files = std::fs::read_dir(entry.expect("an entry").path());
        files
            .into_iter()
            .flatten()
            .map(|file| file.expect("a file").path())
    });
    let mut models: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|it| it == "onnx"))
        .collect();
    models.sort();
    models
}

/// Random values for every input of the plan; `values` makes a float.
fn inputs(plan: &PlanBuf, rng: &mut Rng, values: impl Fn(&mut Rng) -> f32) -> Vec<Vec<u8>> {
    let plan = plan.plan();
    let fill = |port: &microtome_plan::Port<'_>, rng: &mut Rng| match port.element {
        Element::F32 => (0..port.len())
            .flat_map(|_| values(rng).to_le_bytes())
            .collect(),
        Element::I32 => (0..port.len()).flat_map(|_| 0_i32.to_le_bytes()).collect(),
        _ => {
            let mut bytes = vec![0_i8; port.len_bytes()];
            rng.fill(&mut bytes);
            bytemuck::cast_slice(&bytes).to_vec()
        }
    };
    plan.manifest()
        .inputs
        .iter()
        .map(|port| fill(port, rng))
        .collect()
}

fn number(rng: &mut Rng) -> f32 {
    rng.size(0..=2000) as f32 / 1000.0 - 1.0
}

/// Compares both executors on two samples.
fn compare(gpu: &Gpu, plan: &PlanBuf, what: &str) {
    let mut rng = Rng::new(11);
    let samples = [0, 1].map(|_| inputs(plan, &mut rng, number));
    let samples: Vec<Vec<&[u8]>> = samples
        .iter()
        .map(|sample| sample.iter().map(Vec::as_slice).collect())
        .collect();
    let mut on_gpu = match GpuBackend::new(gpu, plan.clone()) {
        Ok(backend) => backend,
        Err(error) => panic!("{what}: {error}"),
    };
    let found = on_gpu.run(&samples).expect("the GPU runs");
    let wanted = CpuBackend::new(plan.clone())
        .run(&samples)
        .expect("the CPU runs");
    let plan = plan.plan();
    for (found, wanted) in found.iter().zip(&wanted) {
        for (port, (found, wanted)) in plan.manifest().outputs.iter().zip(found.iter().zip(wanted))
        {
            if port.element != Element::F32 {
                assert!(found == wanted, "{what}: the bits of {} differ", port.name);
                continue;
            }
            let floats = |bytes: &[u8]| -> Vec<f32> { bytemuck::pod_collect_to_vec(bytes) };
            let (found, wanted) = (floats(found), floats(wanted));
            let largest = wanted
                .iter()
                .fold(0.0_f32, |largest, it| largest.max(it.abs()));
            for (index, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                let neither = found.is_nan() && wanted.is_nan();
                let near = (found - wanted).abs() <= TOLERANCE * largest.max(1e-6) || neither;
                assert!(
                    near,
                    "{what}: {}[{index}] is {found}, not {wanted}",
                    port.name
                );
            }
        }
    }
}

#[test]
fn shipped_models_give_what_the_cpu_gives() {
    let Some(gpu) = crate::support::gpu() else {
        return;
    };
    let mut ran = 0;
    for path in models() {
        let model = std::fs::read(&path).expect("the model is there");
        // A stream has no size before it is compiled with a pulse.
        let Ok(compiled) = compile(&model, &Options::new("model")) else {
            continue;
        };
        compare(&gpu, &compiled.plan, &path.display().to_string());
        ran += 1;
    }
    assert!(ran >= 9, "only {ran} models ran");
}

/// A plan of one float operator, whose weights and bias are constants.
fn layer(op: impl Into<Op>, rng: &mut Rng) -> PlanBuf {
    let op = op.into();
    let mut plan = Builder::default();
    let constants: Vec<_> = op
        .operator()
        .constants()
        .iter()
        .map(|extent| {
            let values: Vec<f32> = (0..extent.len).map(|_| number(rng)).collect();
            plan.constant(&values)
        })
        .collect();
    let place = |extents: &[Extent], plan: &mut Builder| -> Vec<_> {
        extents
            .iter()
            .map(|it| (plan.span(it.bytes()), *it))
            .collect()
    };
    let read = place(&op.operator().inputs(), &mut plan);
    let written = place(&op.operator().outputs(), &mut plan);
    plan.whole_step(op, &read, &written, &constants);
    plan.plan(&read, &written)
}

/// A random window over a random input.
fn geometry(rng: &mut Rng, input: usize, output: usize) -> (Shape, Shape, Window) {
    let mut pair = |low, high| [rng.size(low..=high), rng.size(low..=high)];
    let window = Window {
        kernel: pair(1, 4),
        stride: pair(1, 3),
        dilation: pair(1, 2),
        pad: pair(0, 2),
    };
    let ([height, width], [out_height, out_width]) = (pair(1, 12), pair(1, 12));
    let shape = |height, width, channels| Shape {
        height,
        width,
        channels,
    };
    (
        shape(height, width, input),
        shape(out_height, out_width, output),
        window,
    )
}

fn bias(rng: &mut Rng) -> Source {
    [Source::None, Source::Constant][rng.size(0..=1)]
}

#[test]
fn random_float_layers_give_what_the_cpu_gives() {
    let Some(gpu) = crate::support::gpu() else {
        return;
    };
    let mut rng = Rng::new(4);
    for case in 0..150 {
        let groups = [1, 1, 2, 3][rng.size(0..=3)];
        let (depth, out) = (rng.size(1..=9), rng.size(1..=19));
        let (input, output, geometry) = geometry(&mut rng, groups * depth, groups * out);
        let (min, max) = [(f32::NEG_INFINITY, f32::INFINITY), (0.0, 1.5)][rng.size(0..=1)];
        let weights = Source::Constant;
        let bias = bias(&mut rng);
        let op: Op = match case % 3 {
            0 => ConvF32 {
                input,
                output,
                window: geometry,
                groups,
                min,
                max,
                weights,
                packing: Packing::ROWS,
                bias,
            }
            .into(),
            1 => ConvTransposeF32 {
                input,
                output,
                window: geometry,
                groups,
                min,
                max,
                weights,
                bias,
            }
            .into(),
            _ => DepthwiseF32 {
                input,
                output: Shape {
                    channels: input.channels * rng.size(1..=3),
                    ..output
                },
                window: geometry,
                min,
                max,
                weights,
                bias,
            }
            .into(),
        };
        window::check(input, output, &geometry).expect("the geometry is valid");
        let plan = layer(op.clone(), &mut rng);
        compare(&gpu, &plan, &format!("{op:?}"));
    }
}

#[test]
fn what_is_not_a_number_harms_nobody() {
    let Some(gpu) = crate::support::gpu() else {
        return;
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/cells/cells.float.onnx");
    let model = std::fs::read(path).expect("the model is there");
    let plan = compile(&model, &Options::new("cells"))
        .expect("it compiles")
        .plan;
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX];
    let mut rng = Rng::new(1);
    let odd = inputs(&plan, &mut rng, |rng| odd[rng.size(0..=3)]);
    let sound = inputs(&plan, &mut rng, number);
    let batch = [vec![&odd[0][..]], vec![&sound[0][..]]];
    let mut backend = GpuBackend::new(&gpu, plan.clone()).expect("the plan fits");
    let found = backend.run(&batch).expect("it runs");
    let alone = backend.run(&batch[1..]).expect("it runs");
    assert_eq!(
        found[0][0].len(),
        plan.plan().manifest().outputs[0].len_bytes()
    );
    assert!(
        found[1] == alone[0],
        "a sample does not depend on the one beside it"
    );
}
