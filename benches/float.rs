//! Multiply–accumulates a second of the float kernels, on layers of MobileNetV2 and of a small
//! encoder; elements a second of functions that have no multiply–accumulates.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use microtome_kernels::dispatch;
use microtome_kernels::float::conv2d::ConvF32;
use microtome_kernels::float::depthwise::DepthwiseF32;
use microtome_kernels::float::matmul::MatMulF32;
use microtome_kernels::float::source::Source;
use microtome_kernels::float::unary::{Function, UnaryKind};
use microtome_kernels::num::{Shape, Window};
use microtome_kernels::operator::{Args, Constants, Extent, Extents, OPERANDS_MAX, Operator};
use microtome_kernels::view::Strides;
use std::hint::black_box;

fn convolutions(criterion: &mut Criterion) {
    let layers = [
        ("f32 conv 3x3 64 to 64, 56x56", [56, 56, 64], 64, 3),
        ("f32 conv 3x3 16 to 64, 28x28", [28, 28, 16], 64, 3),
        ("f32 conv 1x1 512 to 512, 14x14", [14, 14, 512], 512, 1),
        ("f32 dense 1024 to 1000", [1, 1, 1024], 1000, 1),
    ];
    for (name, [height, width, inputs], channels, kernel) in layers {
        let input = Shape {
            height,
            width,
            channels: inputs,
        };
        let params = ConvF32 {
            input,
            output: Shape { channels, ..input },
            window: same(kernel),
            groups: 1,
            min: 0.0,
            max: 6.0,
            weights: Source::Constant,
            packing: ConvF32::PANELS,
            bias: Source::Constant,
        };
        measure_operator(criterion, name, &params);
    }
}

fn depthwise(criterion: &mut Criterion) {
    let input = Shape {
        height: 56,
        width: 56,
        channels: 144,
    };
    let params = DepthwiseF32 {
        input,
        output: input,
        window: same(3),
        min: 0.0,
        max: 6.0,
        weights: Source::Constant,
        bias: Source::Constant,
    };
    measure_operator(criterion, "f32 depthwise 3x3 144, 56x56", &params);
}

fn matrices(criterion: &mut Criterion) {
    for (name, rows) in [
        ("f32 matmul 256x320x1280", 256),
        ("f32 matmul 1x320x1280", 1),
    ] {
        let (depth, columns) = (320, 1280);
        let params = MatMulF32 {
            batch: [1; 4],
            rows,
            depth,
            columns,
            a: Strides::row_major([1, 1, 1, 1, rows, depth]),
            b: Strides::row_major([1, 1, 1, 1, depth, columns]),
            a_len: rows * depth,
            b_len: depth * columns,
            a_source: Source::Operand,
            b_source: Source::Constant,
        };
        measure_operator(criterion, name, &params);
    }
}

fn functions(criterion: &mut Criterion) {
    let original: Vec<_> = (0..1 << 16).map(|at| at as f32 / 16384.0 - 2.0).collect();
    let kinds = [UnaryKind::Sigmoid, UnaryKind::Tanh, UnaryKind::Gelu];
    for kind in kinds {
        let mut values = original.clone();
        measure(criterion, &format!("f32 {kind:?}"), original.len(), || {
            values.copy_from_slice(&original);
            Function::plain(kind).apply(black_box(&mut values));
        });
    }
}

/// Runs an operator on constant operands with the fastest kernels.
fn measure_operator(criterion: &mut Criterion, name: &str, op: &dyn Operator) {
    let memory = |extents: Extents| -> Vec<Vec<f32>> {
        let floats = |extent: &Extent| vec![0.25; extent.len];
        extents.iter().map(floats).collect()
    };
    let (inputs, constants) = (memory(op.inputs()), memory(op.constants()));
    let mut outputs = memory(op.outputs());
    let mut scratch = vec![0.0_f32; op.scratch_bytes() / size_of::<f32>()];
    measure(criterion, name, op.macs(), || {
        let args = Args {
            inputs: bytes(&inputs),
            constants: Constants(bytes(&constants)),
            outputs: outputs
                .iter_mut()
                .map(|it| bytemuck::cast_slice_mut(it))
                .collect(),
            scratch: bytemuck::cast_slice_mut(&mut scratch),
            ..Args::default()
        };
        op.run(dispatch::best(), args);
    });
    black_box(&outputs);
}

fn bytes(memory: &[Vec<f32>]) -> heapless::Vec<&[u8], OPERANDS_MAX> {
    memory.iter().map(|it| bytemuck::cast_slice(it)).collect()
}

/// A window that keeps rows and columns.
const fn same(kernel: usize) -> Window {
    Window {
        kernel: [kernel; 2],
        stride: [1, 1],
        dilation: [1, 1],
        pad: [kernel / 2; 2],
    }
}

fn measure(criterion: &mut Criterion, name: &str, elements: usize, mut run: impl FnMut()) {
    let mut group = criterion.benchmark_group("float");
    group.throughput(Throughput::Elements(elements as u64));
    group.bench_function(name, |bencher| bencher.iter(&mut run));
    group.finish();
}

criterion_group!(benches, convolutions, depthwise, matrices, functions);
criterion_main!(benches);
