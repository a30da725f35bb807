//! Whole plans on the adapter: equal to the CPU executor, batch by batch; and what happens when
//! something is wrong.

use crate::support::{Builder, gpu};
use microtome_backend::{Backend, BackendError, CpuBackend, Inputs};
use microtome_gpu::{Gpu, GpuBackend, GpuError, GpuOptions};
use microtome_kernels::cases::Rng;
use microtome_kernels::num::{Output, Shape, Window};
use microtome_kernels::operator::{Element, Extent};
use microtome_kernels::packing::Packing;
use microtome_kernels::reference::{
    add::Add,
    clamp::Clamp,
    conv2d::{Conv2d, ConvConstants},
    max_pool::MaxPool,
    softmax::Softmax,
};
use microtome_kernels::view::Broadcast;
use microtome_plan::{ArenaAt, PlanBuf};
use std::time::Duration;

const ALL: Output = Output {
    zero: 3,
    min: -128,
    max: 127,
};

const fn int8(len: usize) -> Extent {
    Extent::new(Element::I8, len)
}

fn square(extent: usize, channels: usize) -> Shape {
    Shape {
        height: extent,
        width: extent,
        channels,
    }
}

const fn window(kernel: usize, stride: usize) -> Window {
    Window {
        kernel: [kernel; 2],
        stride: [stride; 2],
        dilation: [1; 2],
        pad: [kernel / 2; 2],
    }
}

/// A convolution from `input` with random constants, whose output is given its place.
fn conv(plan: &mut Builder, rng: &mut Rng, params: Conv2d, input: ArenaAt) -> ArenaAt {
    let mut weights = vec![0; params.weights_len()];
    rng.fill(&mut weights);
    let channels = params.output.channels;
    let factors: Vec<_> = (0..channels).map(|_| rng.multiplier(-9..=-7)).collect();
    let constants = plan.conv(&ConvConstants {
        weights: &weights,
        bias: &(0..channels).map(|_| rng.bias()).collect::<Vec<_>>(),
        mantissas: &factors
            .iter()
            .map(|factor| factor.mantissa)
            .collect::<Vec<_>>(),
        shifts: &factors
            .iter()
            .map(|factor| factor.shift)
            .collect::<Vec<_>>(),
    });
    let output = plan.span(params.output.len());
    plan.step(params, &[input], output, &constants);
    output
}

/// Convolutions of odd and even channel counts, a residual in place, a pool and a softmax.
fn network() -> PlanBuf {
    let (mut plan, mut rng) = (Builder::default(), Rng::new(7));
    let layer = |input, output, window| Conv2d {
        input,
        output,
        window,
        groups: 1,
        input_zero: -5,
        store: ALL,
        packing: Packing::ROWS,
        scratch: 0,
    };
    let input = plan.span(9 * 9 * 3);
    let stem = layer(square(9, 3), square(9, 8), window(3, 1));
    let stem = conv(&mut plan, &mut rng, stem, input);
    let wide = layer(square(9, 8), square(9, 8), window(3, 1));
    let branch = conv(&mut plan, &mut rng, wide, stem);
    let add = Add {
        broadcast: Broadcast::flat(9 * 9 * 8),
        subtract: false,
        zeros: [3, 3],
        factors: [rng.multiplier(-1..=0), rng.multiplier(-1..=0)],
        factor: rng.multiplier(-19..=-18),
        store: ALL,
    };
    plan.step(add, &[stem, branch], stem, &[]);
    let head = layer(square(9, 8), square(9, 5), window(1, 1));
    let head = conv(&mut plan, &mut rng, head, stem);
    let pool = MaxPool {
        input: square(9, 5),
        output: square(5, 5),
        window: window(3, 2),
        min: -128,
        max: 127,
    };
    let pooled = plan.span(5 * 5 * 5);
    plan.step(pool, &[head], pooled, &[]);
    let softmax = Softmax {
        rows: 25,
        depth: 5,
        mantissa: 1 << 30,
        shift: 23,
        diff_min: -200,
    };
    let output = plan.span(5 * 5 * 5);
    plan.step(softmax, &[pooled], output, &[]);
    plan.plan(
        &[(input, int8(9 * 9 * 3))],
        &[(output, int8(5 * 5 * 5)), (pooled, int8(5 * 5 * 5))],
    )
}

/// A clamp of `len` elements, in place.
fn clamp(len: usize) -> PlanBuf {
    let mut plan = Builder::default();
    let at = plan.span(len);
    let (min, max) = (-9, 9);
    plan.step(Clamp { len, min, max }, &[at], at, &[]);
    plan.plan(&[(at, int8(len))], &[(at, int8(len))])
}

fn samples(count: usize, len: usize) -> Vec<Vec<u8>> {
    let mut rng = Rng::new(count as u64);
    let mut sample = || {
        let mut values = vec![0; len];
        rng.fill(bytemuck::cast_slice_mut(&mut values));
        values
    };
    (0..count).map(|_| sample()).collect()
}

/// int8 as ports take them.
fn bytes<const N: usize>(values: [i8; N]) -> [u8; N] {
    values.map(i8::cast_unsigned)
}

fn inputs(samples: &[Vec<u8>]) -> Vec<Inputs<'_>> {
    samples
        .iter()
        .map(|values| vec![values.as_slice()])
        .collect()
}

#[test]
fn a_batch_is_equal_to_its_samples_on_the_cpu() {
    let Some(gpu) = gpu() else { return };
    let mut on_gpu = GpuBackend::new(&gpu, network()).unwrap();
    let mut on_cpu = CpuBackend::new(network());
    // One, fewer and more than before, and more than one submission takes.
    for count in [1, 5, 3, 70, 0] {
        let samples = samples(count, 9 * 9 * 3);
        let expected = on_cpu.run(&inputs(&samples)).unwrap();
        assert_eq!(
            on_gpu.run(&inputs(&samples)).unwrap(),
            expected,
            "{count} samples"
        );
    }
}

#[test]
fn bytes_behind_an_output_keep_what_they_hold() {
    let Some(gpu) = gpu() else { return };
    let mut plan = Builder::default();
    let at = plan.span(8);
    let clamp = Clamp {
        len: 5,
        min: -20,
        max: 100,
    };
    plan.step(clamp, &[at], at, &[]);
    let plan = plan.plan(&[(at, int8(8))], &[(at, int8(8))]);
    let outputs = GpuBackend::new(&gpu, plan)
        .unwrap()
        .run(&[vec![&bytes([-128; 8])]])
        .unwrap();
    let expected = [-20, -20, -20, -20, -20, -128, -128, -128];
    assert_eq!(outputs[0][0], bytes(expected));
}

#[test]
fn dispatches_with_more_groups_than_one_axis_has() {
    let Some(gpu) = gpu() else { return };
    let len = 65_535 * 64 * 4 + 1234;
    let values: Vec<u8> = (0..len).map(|index| (index * 7 % 251) as u8).collect();
    let outputs = GpuBackend::new(&gpu, clamp(len))
        .unwrap()
        .run(&[vec![&values]])
        .unwrap();
    let clamped = |value: &u8| value.cast_signed().clamp(-9, 9).cast_unsigned();
    let expected: Vec<u8> = values.iter().map(clamped).collect();
    assert!(outputs[0][0] == expected);
}

#[test]
fn a_wrong_input_is_refused_and_the_next_one_runs() {
    let Some(gpu) = gpu() else { return };
    let mut backend = GpuBackend::new(&gpu, clamp(5)).unwrap();
    let error = BackendError::InputLen {
        sample: 0,
        port: 0,
        expected: 5,
        found: 4,
    };
    assert_eq!(backend.run(&[vec![&[0; 4]]]), Err(error));
    assert_eq!(backend.run(&[vec![&[20; 5]]]).unwrap(), [[[9; 5]]]);
}

#[test]
fn a_plan_beyond_what_the_adapter_binds_is_refused() {
    let Some(gpu) = gpu().filter(Gpu::is_software) else {
        return;
    };
    let error = GpuBackend::new(&gpu, clamp(1 << 28)).unwrap_err();
    let GpuError::TooLarge {
        what, need, have, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((*what, *need), ("activations", 1 << 28));
    assert!(have < need, "{error}");
}

#[test]
fn an_unknown_adapter_is_named_beside_those_that_there_are() {
    let Some(gpu) = gpu() else { return };
    let adapter = Some("no such adapter".to_owned());
    let error = Gpu::open(&GpuOptions {
        adapter,
        ..GpuOptions::default()
    })
    .unwrap_err();
    let GpuError::NoSuchAdapter { wanted, found } = error else {
        panic!("{error}")
    };
    assert_eq!(wanted, "no such adapter");
    assert!(found.contains(gpu.adapter_name()), "{found}");
}

#[test]
fn a_batch_that_takes_too_long_is_an_error_and_not_the_end() {
    if gpu().is_none() {
        return;
    }
    let options = GpuOptions {
        timeout: Duration::ZERO,
        ..GpuOptions::from_env()
    };
    let gpu = Gpu::open(&options).unwrap();
    let len = 1 << 22;
    let mut backend = GpuBackend::new(&gpu, clamp(len)).unwrap();
    for _ in 0..2 {
        let Err(BackendError::Failed { cause, .. }) = backend.run(&[vec![&vec![0; len]]]) else {
            panic!("four million elements took no time");
        };
        assert!(cause.contains("did not finish within 0ns"), "{cause}");
    }
}

#[test]
fn a_lost_device_is_an_error() {
    let Some(gpu) = gpu() else { return };
    let mut backend = GpuBackend::new(&gpu, network()).unwrap();
    let samples = samples(2, 9 * 9 * 3);
    backend.run(&inputs(&samples)).unwrap();
    gpu.destroy();
    for _ in 0..2 {
        let Err(BackendError::Failed { cause, .. }) = backend.run(&inputs(&samples)) else {
            panic!("a lost device gives no outputs");
        };
        assert!(cause.contains("was lost"), "{cause}");
    }
    let error = GpuBackend::new(&gpu, network()).unwrap_err();
    assert!(matches!(error, GpuError::Lost { .. }), "{error}");
}
