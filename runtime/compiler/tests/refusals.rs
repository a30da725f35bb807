//! What cannot be compiled is refused with its node, the reason and a way out, and never panics;
//! what is not quantized runs in float.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod common;

use common::noise;
use common::onnx::{Model, Value};
use microtome_compiler::{CompileError, Options, Refusal, TractModel, compile};
use proptest::prelude::*;
use tract_onnx::pb::tensor_proto::DataType::{Float, Int8};

fn refused(model: &[u8]) -> CompileError {
    compile(model, &Options::new("test")).unwrap_err()
}

/// The node's name and the reason.
fn refused_node(model: Model) -> (String, Refusal) {
    match refused(&model.bytes()) {
        CompileError::Node { node, refusal, .. } => (node, refusal),
        other => panic!("{other}"),
    }
}

/// The operators of the plan that `model` becomes.
fn kinds(model: Model) -> Vec<&'static str> {
    let compiled = compile(&model.bytes(), &Options::new("test")).unwrap();
    let plan = compiled.plan.plan();
    plan.steps().map(|step| step.op.operator().kind()).collect()
}

fn dense(bias: i32) -> Model {
    Model::new()
        .input("x", Float, &[1, 4])
        .quantized("x", "xq", 0.1, 0)
        .weights("w", &[1, 4], &[127; 4], &[0.1], 0)
        .i32s("bq", &[1], &[bias])
        .f32s("bs", &[], &[0.01])
        .node("DequantizeLinear", &["bq", "bs"], "b", &[])
        .node("Gemm", &["xq", "w", "b"], "y", &[("transB", Value::Int(1))])
        .quantized("y", "out", 0.5, 0)
        .output("out", Float)
}

#[test]
fn an_operator_without_lowering_is_named_with_a_way_out() {
    let model = Model::new()
        .input("x", Float, &[1, 1, 4, 4])
        .node("GridSample", &["x"], "y", &[])
        .output("y", Float);
    let message = refused(&model.bytes()).to_string();
    assert_eq!(
        message,
        "node 'GridSample_y' (GridSample): this operator is not lowered yet; replace it, or run the \
         model with --backend tract (ONNX)"
    );
}

/// Constants that a few bytes make large, each by its own operator, added to an input.
#[test]
fn constants_that_would_fill_the_memory_are_not_made() {
    const SIDE: i64 = 1 << 16;
    let model = || {
        let small = Model::new().input("x", Float, &[1, 4]);
        small
            .i64s("dims", &[SIDE, SIDE])
            .f32s("one", &[1, 1], &[1.0])
    };
    let numbers = |model: Model| {
        let bounds = model.f32s("zero", &[], &[0.0]).f32s("end", &[], &[1e9]);
        bounds.f32s("step", &[], &[1.0])
    };
    let ones = [1.0; SIDE as usize];
    let rows = model()
        .f32s("a", &[SIDE, 1], &ones)
        .f32s("b", &[1, SIDE], &ones);
    let hostile = [
        model().node("ConstantOfShape", &["dims"], "c", &[]),
        numbers(model()).node("Range", &["zero", "end", "step"], "c", &[]),
        rows.node("Add", &["a", "b"], "c", &[]),
    ];
    for model in hostile {
        let model = model.node("Add", &["x", "c"], "y", &[]).output("y", Float);
        let message = refused(&model.bytes()).to_string();
        assert!(!message.is_empty(), "{message}");
    }
}

/// A product of constants that tract would keep, but that takes an hour: it stays a step.
#[test]
fn constants_that_would_take_long_are_not_computed() {
    const SIDE: i64 = 1_000;
    let pads = [SIDE / 2; 4];
    let model = Model::new()
        .input("x", Float, &[1, 1, 1, 1])
        .f32s("a", &[1, 1, SIDE, SIDE], &[1.0; (SIDE * SIDE) as usize])
        .node("Conv", &["a", "a"], "c", &[("pads", Value::Ints(&pads))])
        .node("Add", &["x", "c"], "y", &[])
        .output("y", Float);
    let compiled = compile(&model.bytes(), &Options::new("test")).unwrap();
    assert!(compiled.report.macs > 1 << 39, "{}", compiled.report.macs);
}

#[test]
fn a_float_model_is_not_quantized_behind_its_users_back() {
    let model = Model::new()
        .input("x", Float, &[1, 4])
        .weights("w", &[4, 2], &[1; 8], &[0.1], 0)
        .node("MatMul", &["x", "w"], "y", &[])
        .output("y", Float);
    assert_eq!(kinds(model), ["conv2d_f32"]);
}

#[test]
fn an_output_that_nobody_quantized_is_float() {
    let model = Model::new()
        .input("x", Float, &[1, 4])
        .quantized("x", "xq", 0.1, 0)
        .weights("w", &[4, 2], &[1; 8], &[0.1], 0)
        .node("MatMul", &["xq", "w"], "y", &[])
        .output("y", Float);
    assert_eq!(kinds(model), ["dequantize", "conv2d_f32"]);
}

#[test]
fn float_weights_are_multiplied_in_float_and_asymmetric_biases_refused() {
    let input = || {
        Model::new()
            .input("x", Float, &[1, 4])
            .quantized("x", "xq", 0.1, 0)
    };
    let float = input()
        .f32s("w", &[4, 2], &[0.5; 8])
        .node("MatMul", &["xq", "w"], "y", &[])
        .output("y", Float);
    assert_eq!(kinds(float), ["dequantize", "conv2d_f32"]);
    let asymmetric = input()
        .weights("w", &[4, 2], &[1; 8], &[0.1], 0)
        .i32s("bq", &[2], &[1; 2])
        .f32s("bs", &[], &[0.1])
        .i32s("bz", &[], &[5])
        .node("DequantizeLinear", &["bq", "bs", "bz"], "b", &[])
        .node("Gemm", &["xq", "w", "b"], "y", &[])
        .output("y", Float);
    assert_eq!(
        refused_node(asymmetric).1,
        Refusal::WeightZeroPoint { zero: 5 }
    );
}

#[test]
fn a_sum_that_may_overflow_is_refused() {
    assert!(compile(&dense(1000).bytes(), &Options::new("test")).is_ok());
    let (node, refusal) = refused_node(dense(i32::MAX));
    assert_eq!(node, "Gemm_y");
    assert!(
        matches!(refusal, Refusal::Overflow { channel: 0, .. }),
        "{refusal}"
    );
}

#[test]
fn scales_beyond_fixed_point_are_refused() {
    let model = Model::new()
        .input("x", Float, &[1, 4])
        .quantized("x", "xq", 1e6, 0)
        .node("Relu", &["xq"], "y", &[])
        .quantized("y", "out", 1e-6, 0)
        .output("out", Float);
    assert!(matches!(refused_node(model).1, Refusal::Factor { .. }));
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let model = Model::new()
            .input("x", Float, &[1, 4])
            .quantized("x", "out", scale, 0)
            .output("out", Float);
        assert!(matches!(refused_node(model).1, Refusal::Scale { .. }));
    }
}

#[test]
fn a_dequantizer_with_another_scale_is_refused() {
    let model = Model::new()
        .input("x", Float, &[1, 4])
        .f32s("s", &[], &[0.1])
        .f32s("t", &[], &[0.2])
        .i8s("z", &[], &[0])
        .node("QuantizeLinear", &["x", "s", "z"], "q", &[])
        .node("DequantizeLinear", &["q", "t", "z"], "out", &[])
        .output("out", Float);
    assert_eq!(
        refused_node(model).1,
        Refusal::ScaleMismatch { value: "q".into() }
    );
}

#[test]
fn sizes_that_are_not_fixed_are_refused_but_for_the_batch() {
    let model = |dims: &[i64]| {
        let model = Model::new()
            .input("x", Float, dims)
            .quantized("x", "out", 0.1, 0);
        model.output("out", Float).bytes()
    };
    assert!(compile(&model(&[0, 4]), &Options::new("test")).is_ok());
    let dynamic = CompileError::DynamicInput {
        input: "x".into(),
        axis: 1,
    };
    assert_eq!(refused(&model(&[1, 0])), dynamic);
    assert!(compile(&model(&[8, 4]), &Options::new("test")).is_ok());
    let images = Model::new()
        .input("x", Float, &[2, 3, 4, 5])
        .quantized("x", "xq", 0.1, 0)
        .weights("w", &[2, 3, 1, 1], &[1; 6], &[0.1], 0)
        .node("Conv", &["xq", "w"], "y", &[])
        .output("y", Float);
    assert_eq!(refused_node(images).1, Refusal::Batch { batch: 2 });
}

#[test]
fn a_layout_that_cannot_be_read_is_copied() {
    let model = Model::new()
        .input("x", Float, &[1, 3, 4, 5])
        .quantized("x", "xq", 0.1, 0)
        .node(
            "Transpose",
            &["xq"],
            "t",
            &[("perm", Value::Ints(&[0, 2, 1, 3]))],
        )
        .weights("w", &[2, 4, 1, 1], &[1; 8], &[0.1], 0)
        .node("Conv", &["t", "w"], "y", &[])
        .output("y", Float);
    assert_eq!(kinds(model), ["copy", "dequantize", "conv2d_f32"]);
}

#[test]
fn ports_are_limited() {
    let model =
        ["a", "b", "c", "d", "e", "f", "g", "h", "i"]
            .iter()
            .fold(Model::new(), |model, name| {
                let output = format!("{name}_out");
                let model =
                    model
                        .input(name, Int8, &[1, 2])
                        .node("Identity", &[name], &output, &[]);
                model.output(&output, Int8)
            });
    assert!(refused(&model.bytes()).to_string().contains("at most 8"));
}

#[test]
fn truncated_models_are_refused() {
    let model = dense(0).bytes();
    for len in 0..model.len() {
        let refusal = compile(&model[..len], &Options::new("test"));
        assert!(refusal.is_err(), "the first {len} bytes of {}", model.len());
        assert!(TractModel::load(&model[..len]).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_models_never_panic(at in 0..2000_usize, byte: u8, more in 0..2000_usize) {
        let mut model = dense(0).bytes();
        let len = model.len();
        model[at % len] = byte;
        model[more % len] ^= 0x55;
        // Compiled or refused: both are right.
        let _ = compile(&model, &Options::new("test"));
    }

    #[test]
    fn garbage_never_panics(seed: u64, len in 0..300_usize) {
        let garbage: Vec<u8> = noise(seed >> 1, len).iter().map(|&value| value as u8).collect();
        prop_assert!(compile(&garbage, &Options::new("test")).is_err());
    }
}
