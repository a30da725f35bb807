//! TFLite's operators in models of one operator: int8 results are the real ones, rounded once.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "common/tflite.rs"]
mod file;

use file::{Field, Model, Table};
use microtome_compiler::{Compiled, Options, compile};
use microtome_exec::Executor;

const AVERAGE_POOL_2D: i32 = 1;
const CONV_2D: i32 = 3;
const DEPTHWISE_CONV_2D: i32 = 4;
const FULLY_CONNECTED: i32 = 9;
const MAX_POOL_2D: i32 = 17;
const RELU6: i32 = 21;
const PAD: i32 = 34;
const TRANSPOSE: i32 = 39;
const PADV2: i32 = 60;
const QUANTIZE: i32 = 114;

const NO_OPTIONS: (u8, Table) = (0, Vec::new());

const SCALE: f32 = 0.05;
const ZERO: i64 = 3;

fn compiled(model: &[u8]) -> Compiled {
    compile(model, &Options::new("test")).unwrap_or_else(|error| panic!("{error}"))
}

/// What the arena has for the output, for an input as the model has it.
fn run(compiled: &Compiled, input: &[i8]) -> Vec<i8> {
    let plan = compiled.plan.plan();
    let mut arena = vec![0x5a5a_5a5a_u32; compiled.report.arena_bytes.div_ceil(4)];
    let mut executor = Executor::new(&plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    executor
        .input_mut(0)
        .copy_from_slice(bytemuck::cast_slice(input));
    executor.run(&mut ());
    bytemuck::cast_slice(executor.output(0)).to_vec()
}

fn noise(count: usize, seed: usize) -> Vec<i8> {
    let draw = |at: usize| ((at + 1) * (2 * seed + 37) * 131 / 7) as u8 as i8;
    (0..count).map(draw).collect()
}

fn real(value: i8) -> f64 {
    f64::from(SCALE) * (f64::from(value) - ZERO as f64)
}

fn quantized(real: f64, scale: f32, zero: i32) -> i8 {
    let steps = (real / f64::from(scale) + 0.5).floor() + f64::from(zero);
    steps.clamp(-128.0, 127.0) as i8
}

/// A window over an image of `[height, width]`: per axis the kernel, stride, dilation and the
/// padding before it.
#[derive(Clone, Copy)]
struct Window {
    image: [usize; 2],
    kernel: [usize; 2],
    stride: usize,
    dilation: usize,
    before: [usize; 2],
}

impl Window {
    /// `(tap, pixel)` of the taps inside of the image, for an output pixel.
    fn taps(self, output: [usize; 2]) -> Vec<([usize; 2], [usize; 2])> {
        let mut taps = Vec::new();
        for row in 0..self.kernel[0] {
            for column in 0..self.kernel[1] {
                let at = |axis: usize, tap: usize| {
                    let at = output[axis] * self.stride + tap * self.dilation;
                    at.checked_sub(self.before[axis])
                        .filter(|&it| it < self.image[axis])
                };
                if let (Some(y), Some(x)) = (at(0, row), at(1, column)) {
                    taps.push(([row, column], [y, x]));
                }
            }
        }
        taps
    }
}

fn options(union: u8, fields: &[(usize, Field)]) -> (u8, Table) {
    (union, fields.to_vec())
}

#[test]
fn depthwise_with_a_multiplier_dilation_and_same_padding() {
    let (w_values, scales) = (noise(3 * 2 * 4, 5), [0.01, 0.02, 0.03, 0.005]);
    let mut model = Model::new();
    let x = model.int8("x", &[1, 5, 6, 2], SCALE, ZERO);
    let w = model.weights("w", &[1, 3, 2, 4], &w_values, &scales, 3);
    let b = model.i32s("b", &[4], &[100, -200, 300, 0]);
    let y = model.int8("y", &[1, 5, 6, 4], 0.1, -20);
    let fields = [
        (1, Field::Int(1)),
        (2, Field::Int(1)),
        (3, Field::Int(2)),
        (4, Field::Byte(1)),
        (5, Field::Int(2)),
        (6, Field::Int(2)),
    ];
    model.op(DEPTHWISE_CONV_2D, options(2, &fields), &[x, w, b], &[y]);
    let model = compiled(&model.bytes(&[x], &[y]));
    let input = noise(60, 1);
    let window = Window {
        image: [5, 6],
        kernel: [3, 2],
        stride: 1,
        dilation: 2,
        before: [2, 1],
    };
    let mut wanted = Vec::new();
    for pixel in 0..30 {
        for channel in 0..4 {
            let scale = f64::from(scales[channel]);
            let mut sum = f64::from([100, -200, 300, 0][channel]) * scale * f64::from(SCALE);
            for ([row, column], [y, x]) in window.taps([pixel / 6, pixel % 6]) {
                let weight = f64::from(w_values[(row * 2 + column) * 4 + channel]) * scale;
                sum += weight * real(input[(y * 6 + x) * 2 + channel / 2]);
            }
            wanted.push(quantized(sum.max(0.0), 0.1, -20));
        }
    }
    assert_eq!(run(&model, &input), wanted);
}

#[test]
fn a_grouped_convolution_with_a_stride() {
    let w_values = noise(4 * 2 * 2 * 2, 9);
    let mut model = Model::new();
    let x = model.int8("x", &[1, 5, 5, 4], SCALE, ZERO);
    let w = model.weights("w", &[4, 2, 2, 2], &w_values, &[0.01], 0);
    let y = model.int8("y", &[1, 3, 3, 4], 0.1, 5);
    let fields = [(1, Field::Int(2)), (2, Field::Int(2))];
    model.op(CONV_2D, options(1, &fields), &[x, w], &[y]);
    let model = compiled(&model.bytes(&[x], &[y]));
    let input = noise(100, 2);
    let window = Window {
        image: [5, 5],
        kernel: [2, 2],
        stride: 2,
        dilation: 1,
        before: [0, 0],
    };
    let mut wanted = Vec::new();
    for pixel in 0..9 {
        for channel in 0..4 {
            let mut sum = 0.0;
            for ([row, column], [y, x]) in window.taps([pixel / 3, pixel % 3]) {
                for depth in 0..2 {
                    let weight = w_values[((channel * 2 + row) * 2 + column) * 2 + depth];
                    let at = (y * 5 + x) * 4 + channel / 2 * 2 + depth;
                    sum += f64::from(weight) * f64::from(0.01_f32) * real(input[at]);
                }
            }
            wanted.push(quantized(sum, 0.1, 5));
        }
    }
    assert_eq!(run(&model, &input), wanted);
}

#[test]
fn pools_with_same_padding() {
    let window = Window {
        image: [4, 5],
        kernel: [3, 3],
        stride: 2,
        dilation: 1,
        before: [0, 1],
    };
    let input = noise(40, 3);
    for code in [AVERAGE_POOL_2D, MAX_POOL_2D] {
        let mut model = Model::new();
        let x = model.int8("x", &[1, 4, 5, 2], SCALE, ZERO);
        let y = model.int8("y", &[1, 2, 3, 2], SCALE, ZERO);
        let fields = [
            (1, Field::Int(2)),
            (2, Field::Int(2)),
            (3, Field::Int(3)),
            (4, Field::Int(3)),
            (5, Field::Byte(1)),
        ];
        model.op(code, options(5, &fields), &[x], &[y]);
        let model = compiled(&model.bytes(&[x], &[y]));
        let mut wanted = Vec::new();
        for pixel in 0..6 {
            for channel in 0..2 {
                let taps = window.taps([pixel / 3, pixel % 3]).into_iter();
                let values = taps.map(|(_, [y, x])| i32::from(input[(y * 5 + x) * 2 + channel]));
                let values: Vec<_> = values.collect();
                let (sum, count) = (values.iter().sum::<i32>(), values.len() as i32);
                let value = match code {
                    MAX_POOL_2D => *values.iter().max().unwrap(),
                    _ if sum > 0 => (sum + count / 2) / count,
                    _ => (sum - count / 2) / count,
                };
                wanted.push(value.max(ZERO as i32) as i8);
            }
        }
        assert_eq!(run(&model, &input), wanted, "{code}");
    }
}

#[test]
fn padding_with_the_zero_point_and_with_a_number() {
    let input = noise(8, 4);
    for (code, value) in [(PAD, ZERO as i8), (PADV2, -50)] {
        let mut model = Model::new();
        let x = model.int8("x", &[1, 2, 2, 2], SCALE, ZERO);
        let pads = model.i32s("pads", &[4, 2], &[0, 0, 1, 0, 0, 2, 0, 1]);
        let number = model.weights("value", &[1], &[-53], &[SCALE], 0);
        let y = model.int8("y", &[1, 3, 4, 3], SCALE, ZERO);
        let operands = [x, pads, number];
        let count = if code == PAD { 2 } else { 3 };
        model.op(code, NO_OPTIONS, &operands[..count], &[y]);
        let model = compiled(&model.bytes(&[x], &[y]));
        let mut wanted = vec![value; 36];
        for (at, &element) in input.iter().enumerate() {
            wanted[((at / 4 + 1) * 4 + at / 2 % 2) * 3 + at % 2] = element;
        }
        assert_eq!(run(&model, &input), wanted, "{code}");
    }
}

#[test]
fn a_dense_layer_of_rows() {
    let w_values = noise(20, 6);
    let mut model = Model::new();
    let x = model.int8("x", &[1, 3, 4], SCALE, ZERO);
    let w = model.weights("w", &[5, 4], &w_values, &[0.01, 0.02, 0.03, 0.04, 0.05], 0);
    let b = model.i32s("b", &[5], &[1, 20, 300, 4000, -50_000]);
    let y = model.int8("y", &[1, 3, 5], 0.5, 0);
    let fields = [(0, Field::Byte(3)), (2, Field::Byte(1))];
    model.op(FULLY_CONNECTED, options(8, &fields), &[x, w, b], &[y]);
    let model = compiled(&model.bytes(&[x], &[y]));
    let input = noise(12, 7);
    let mut wanted = Vec::new();
    for row in input.chunks(4) {
        for (output, bias) in [1, 20, 300, 4000, -50_000].into_iter().enumerate() {
            let scale = f64::from([0.01_f32, 0.02, 0.03, 0.04, 0.05][output]);
            let weights = w_values[output * 4..][..4].iter();
            let products = weights.zip(row).map(|(&w, &x)| f64::from(w) * real(x));
            let sum = products.sum::<f64>() + f64::from(bias) * f64::from(SCALE);
            wanted.push(quantized((sum * scale).clamp(0.0, 6.0), 0.5, 0));
        }
    }
    assert_eq!(run(&model, &input), wanted);
}

#[test]
fn changes_of_scale_and_clamps() {
    let input = noise(16, 8);
    for (code, limit) in [(QUANTIZE, None), (RELU6, Some((0.0, 6.0)))] {
        let mut model = Model::new();
        let x = model.int8("x", &[1, 16], SCALE, ZERO);
        let y = model.int8("y", &[1, 16], 0.08, -11);
        model.op(code, NO_OPTIONS, &[x], &[y]);
        let model = compiled(&model.bytes(&[x], &[y]));
        let clamped = |value: f64| limit.map_or(value, |(min, max)| value.clamp(min, max));
        let wanted = input
            .iter()
            .map(|&it| quantized(clamped(real(it)), 0.08, -11));
        assert_eq!(run(&model, &input), wanted.collect::<Vec<_>>(), "{code}");
    }
}

/// Six steps of a scale of 2.4 are 2.5 steps: TFLite rounds them to 3, and half to even to 2.
#[test]
fn the_bound_of_relu6_is_rounded_as_tflite_rounds_it() {
    let mut model = Model::new();
    let x = model.int8("x", &[1, 1], 0.5, 0);
    let y = model.int8("y", &[1, 1], 2.4, 0);
    model.op(RELU6, NO_OPTIONS, &[x], &[y]);
    let model = compiled(&model.bytes(&[x], &[y]));
    assert_eq!(run(&model, &[100]), [3]);
}

#[test]
fn a_transposed_output_is_a_view() {
    let mut model = Model::new();
    let x = model.int8("x", &[1, 2, 3], SCALE, ZERO);
    let perm = model.i32s("perm", &[3], &[0, 2, 1]);
    let y = model.int8("y", &[1, 3, 2], SCALE, ZERO);
    model.op(TRANSPOSE, NO_OPTIONS, &[x, perm], &[y]);
    let model = compiled(&model.bytes(&[x], &[y]));
    let plan = model.plan.plan();
    assert_eq!(plan.steps().count(), 0);
    let output = &plan.manifest().outputs[0];
    assert_eq!(
        (&output.dims[..], &output.order[..]),
        (&[1, 3, 2][..], &[0, 2, 1][..])
    );
}

#[test]
fn large_biases_stay_exact() {
    // In float, the bias's scale is off by up to 2^-24 of itself: 30 of these steps.
    let bias = 500_000_001;
    let (s_w, s_y) = (1.1e-7_f32, 0.05_f32);
    let mut model = Model::new();
    let x = model.int8("x", &[1, 1], 0.777, 0);
    let w = model.weights("w", &[1, 1], &[1], &[s_w], 0);
    let b = model.i32s("b", &[1], &[bias]);
    let y = model.int8("y", &[1, 1], s_y, 0);
    model.op(FULLY_CONNECTED, options(8, &[]), &[x, w, b], &[y]);
    let model = compiled(&model.bytes(&[x], &[y]));
    let plan = model.plan.plan();
    let step = plan.steps().next().unwrap();
    let (at, extent) = step.constants().nth(1).unwrap();
    let found = &plan.constants()[at.0..at.0 + extent.bytes()];
    assert_eq!(found, bias.to_le_bytes());
}
