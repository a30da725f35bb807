//! TFLite models that are made on the spot: what is refused, and how; no bytes make the reader
//! panic or run away.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "common/tflite.rs"]
mod file;

use file::{Field, Model, Table, U8};
use microtome_compiler::{CompileError, Compiled, Format, Options, Refusal, TractModel, compile};
use microtome_exec::Executor;
use proptest::prelude::*;

const ADD: i32 = 0;
const CONV_2D: i32 = 3;
const FULLY_CONNECTED: i32 = 9;
const SOFTMAX: i32 = 25;
const RESHAPE: i32 = 22;
const MEAN: i32 = 40;
const SHAPE: i32 = 77;
const PACK: i32 = 83;

const NO_OPTIONS: (u8, Table) = (0, Vec::new());

fn compiled(model: &[u8]) -> Compiled {
    compile(model, &Options::new("test")).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(model: &[u8]) -> CompileError {
    match compile(model, &Options::new("test")) {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error,
    }
}

/// The operator and the reason.
fn refused_node(model: &[u8]) -> (String, Refusal) {
    match refused(model) {
        CompileError::Node { op, refusal, .. } => (op, refusal),
        other => panic!("{other}"),
    }
}

/// The output for one int8 input, both as the model has them.
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

fn conv_options(padding: u8, stride: i32, activation: u8) -> (u8, Table) {
    let fields = vec![
        (0, Field::Byte(padding)),
        (1, Field::Int(stride)),
        (2, Field::Int(stride)),
        (3, Field::Byte(activation)),
    ];
    (1, fields)
}

/// A convolution with one large bias, and a dense layer.
fn small(bias: i32) -> Vec<u8> {
    let mut model = Model::new();
    let x = model.int8("x", &[1, 4, 4, 2], 0.5, 3);
    let w = model.weights("w", &[3, 2, 2, 2], &[1; 24], &[0.1, 0.2, 1e-6], 0);
    let b = model.i32s("b", &[3], &[5, -7, bias]);
    let c = model.int8("c", &[1, 2, 2, 3], 0.25, -128);
    model.op(CONV_2D, conv_options(0, 2, 3), &[x, w, b], &[c]);
    let w2 = model.weights("w2", &[2, 12], &[3; 24], &[0.01], 0);
    let y = model.int8("y", &[1, 2], 0.125, 7);
    model.op(FULLY_CONNECTED, (8, vec![]), &[c, w2, -1], &[y]);
    model.bytes(&[x], &[y])
}

#[test]
fn a_convolution_is_tflites() {
    let model = compiled(&small(1 << 30));
    let input: Vec<i8> = (0..32).map(|at| at * 5 - 80).collect();
    // TFLite's arithmetic by hand: SAME padding of an even image by a stride of 2 has none, RELU6
    // ends at 6 / 0.25 steps above the zero point.
    let sums: Vec<i32> = (0..4)
        .map(|pixel| {
            let (row, column) = (pixel / 2 * 2, pixel % 2 * 2);
            let taps = [(0, 0), (0, 1), (1, 0), (1, 1)].iter();
            let at = taps.map(|(y, x)| ((row + y) * 4 + column + x) * 2);
            let sums = at.map(|at| i32::from(input[at]) + i32::from(input[at + 1]) - 6);
            sums.sum()
        })
        .collect();
    let scales = [0.5 * 0.1_f32, 0.5 * 0.2, 0.5 * 1e-6];
    let layer = sums.iter().flat_map(|sum| {
        let channel = move |(bias, scale): (i32, f32)| {
            let real = f64::from(sum + bias) * f64::from(scale);
            let steps = (real / 0.25 + 0.5).floor() as i32;
            (steps - 128).clamp(-128, -128 + 24)
        };
        [5, -7, 1 << 30].into_iter().zip(scales).map(channel)
    });
    let total: i32 = layer.map(|value| 3 * (value + 128)).sum();
    let steps = (f64::from(total) * 0.25 * f64::from(0.01_f32) / 0.125 + 0.5).floor() as i32;
    let wanted = (steps + 7).clamp(-128, 127) as i8;
    assert_eq!(run(&model, &input), [wanted, wanted]);
}

#[test]
fn ports_are_the_models() {
    let model = compiled(&small(0));
    let plan = model.plan.plan();
    let (input, output) = (&plan.manifest().inputs[0], &plan.manifest().outputs[0]);
    assert_eq!((input.name, output.name), ("x", "y"));
    assert_eq!(
        (&input.dims[..], &output.dims[..]),
        (&[1, 4, 4, 2][..], &[1, 2][..])
    );
    assert_eq!((input.scale, input.zero), (0.5, 3));
    assert_eq!((output.scale, output.zero), (0.125, 7));
}

#[test]
fn a_mean_is_tflites() {
    let mut model = Model::new();
    let x = model.int8("x", &[1, 7, 7, 1], 0.5, 3);
    let axes = model.i32s("axes", &[2], &[1, 2]);
    let y = model.int8("y", &[1, 1], 0.5, 3);
    model.op(MEAN, NO_OPTIONS, &[x, axes], &[y]);
    let model = compiled(&model.bytes(&[x], &[y]));
    for seed in 0..50 {
        let input: Vec<i8> = (0..49)
            .map(|at| ((at * 37 + seed * 11) % 256 - 128) as i8)
            .collect();
        // `QuantizedMeanOrSum` with 2^30 · 2 / 2^31 for the scale: 49 is between 2^5 and 2^6.
        let sum: i64 = input.iter().map(|&it| i64::from(it) - 3).sum();
        let multiplier = ((1_i64 << 30) << 5) / 49;
        let wanted = ((sum * multiplier + (1 << 34)) >> 35) + 3;
        assert_eq!(run(&model, &input), [wanted as i8], "{seed}");
    }
}

#[test]
fn operators_that_only_compute_shapes_are_not_asked_for() {
    let mut model = Model::new();
    let x = model.int8("x", &[1, 2, 3], 0.5, 0);
    let sizes = model.tensor("sizes", file::I32, &[3], None, None);
    let shape = model.tensor("shape", file::I32, &[1, 3], None, None);
    let y = model.int8("y", &[1, 6], 0.5, 0);
    model.op(SHAPE, NO_OPTIONS, &[x], &[sizes]);
    model.op(PACK, NO_OPTIONS, &[sizes], &[shape]);
    model.op(RESHAPE, NO_OPTIONS, &[x, shape], &[y]);
    let model = compiled(&model.bytes(&[x], &[y]));
    assert_eq!(model.plan.plan().steps().count(), 0);
    assert_eq!(run(&model, &[1, 2, 3, 4, 5, 6]), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn an_operator_that_is_not_known_is_named() {
    let mut model = Model::new();
    let x = model.int8("x", &[1, 2], 0.5, 0);
    let y = model.int8("y", &[1, 2], 0.5, 0);
    model.op(SHAPE, NO_OPTIONS, &[x], &[y]);
    let message = refused(&model.bytes(&[x], &[y])).to_string();
    assert!(message.starts_with("node 'y' (SHAPE): "), "{message}");
}

#[test]
fn what_cannot_be_translated_is_refused_by_operator_and_reason() {
    let mut model = Model::new();
    let x = model.int8("x", &[1, 4, 4, 2], 0.5, 3);
    let w = model.weights("w", &[1, 2, 2, 2], &[1; 8], &[0.1], 0);
    let y = model.int8("y", &[1, 2, 2, 1], 0.25, 0);
    model.op(CONV_2D, conv_options(0, 0, 0), &[x, w], &[y]);
    let (op, refusal) = refused_node(&model.bytes(&[x], &[y]));
    assert_eq!(op, "CONV_2D");
    assert!(matches!(
        refusal,
        Refusal::Attribute {
            attribute: "stride",
            ..
        }
    ));

    let mut model = Model::new();
    let x = model.int8("x", &[1, 4], 0.5, 3);
    let y = model.int8("y", &[1, 4], 1.0 / 256.0, -128);
    let beta = (9, vec![(0, Field::Float(2.0))]);
    model.op(SOFTMAX, beta, &[x], &[y]);
    let (op, refusal) = refused_node(&model.bytes(&[x], &[y]));
    assert_eq!(op, "SOFTMAX");
    assert!(matches!(
        refusal,
        Refusal::Attribute {
            attribute: "beta",
            ..
        }
    ));
}

#[test]
fn asymmetric_weights_are_refused() {
    let mut model = Model::new();
    let x = model.tensor("x", U8, &[1, 2], Some((&[0.5], &[128], 0)), None);
    let w = model.tensor(
        "w",
        U8,
        &[1, 2],
        Some((&[0.5], &[121], 0)),
        Some(vec![1, 2]),
    );
    let y = model.tensor("y", U8, &[1, 1], Some((&[0.5], &[128], 0)), None);
    model.op(FULLY_CONNECTED, (8, vec![]), &[x, w, -1], &[y]);
    let (_, refusal) = refused_node(&model.bytes(&[x], &[y]));
    assert_eq!(refusal, Refusal::WeightZeroPoint { zero: -7 });
}

#[test]
fn a_batch_and_an_open_axis_are_refused() {
    let mut model = Model::new();
    let x = model.int8("x", &[2, 4], 0.5, 3);
    let y = model.int8("y", &[2, 4], 0.5, 3);
    model.op(ADD, NO_OPTIONS, &[x, x], &[y]);
    let error = refused(&model.bytes(&[x], &[y]));
    assert!(
        matches!(error, CompileError::Batch { batch: 2, .. }),
        "{error}"
    );
}

#[test]
fn files_that_break_the_formats_rules_are_named_as_such() {
    let unreadable = |model: &[u8]| match refused(model) {
        CompileError::Unreadable { format, reason } => {
            assert_eq!(format, Format::Tflite);
            reason
        }
        other => panic!("{other}"),
    };
    let mut model = Model::new();
    let x = model.int8("x", &[1, 4], 0.5, 3);
    let y = model.int8("y", &[1, 4], 0.5, 3);
    model.op(ADD, NO_OPTIONS, &[x, y], &[y]);
    assert_eq!(unreadable(&model.bytes(&[x], &[y])), "nothing makes 'y'");
    assert!(unreadable(&model.bytes(&[x], &[7])).contains("no tensor 7"));
    assert!(unreadable(b"\xff\xff\0\0TFL3\0\0\0\0").contains("outside"));

    let mut model = Model::new();
    let x = model.int8("x", &[1, 1 << 30, 1 << 30], 0.5, 3);
    model.op(ADD, NO_OPTIONS, &[x, x], &[x]);
    assert!(unreadable(&model.bytes(&[x], &[x])).contains("not possible"));
}

#[test]
fn tract_says_that_it_runs_onnx_alone() {
    let error = TractModel::load(&small(0)).unwrap_err();
    assert!(
        error.to_string().contains("tract runs ONNX models alone"),
        "{error}"
    );
}

#[test]
fn truncated_models_are_refused() {
    let model = small(0);
    assert!(model.len() < 2048);
    for len in 0..model.len() {
        let refusal = compile(&model[..len], &Options::new("test"));
        assert!(refusal.is_err(), "the first {len} bytes of {}", model.len());
    }
}

/// A small file whose operators share one large constant does not multiply it in memory.
#[test]
fn shared_constants_are_bounded() {
    let mut model = Model::new();
    let x = model.int8("x", &[1, 1024], 0.5, 0);
    let w = model.weights("w", &[1024, 1024], &vec![1; 1 << 20], &[0.1], 0);
    let mut last = x;
    for _ in 0..400 {
        let next = model.int8("t", &[1, 1024], 0.5, 0);
        model.op(FULLY_CONNECTED, (8, vec![]), &[last, w, -1], &[next]);
        last = next;
    }
    let error = refused(&model.bytes(&[x], &[last])).to_string();
    assert!(error.contains("share too many constants"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_models_never_panic(at in 0..2000_usize, byte: u8, bit in 0..16_000_usize) {
        let mut model = small(0);
        let len = model.len();
        model[at % len] = byte;
        model[bit / 8 % len] ^= 1 << (bit % 8);
        // Compiled or refused: both are right.
        let _ = compile(&model, &Options::new("test"));
    }

    #[test]
    fn garbage_never_panics(mut garbage in prop::collection::vec(any::<u8>(), 8..400)) {
        garbage[4..8].copy_from_slice(b"TFL3");
        prop_assert!(compile(&garbage, &Options::new("test")).is_err());
    }
}
