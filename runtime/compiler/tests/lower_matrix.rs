//! Products, normalisations, softmaxes, recurrent cells and transposed convolutions on tiny models:
//! float plans compute what tract or a closed form does to float's precision, integer plans to a
//! few steps of the output's scale.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod common;

use common::onnx::{Model, Value};
use common::{compiled, noise, run_real};
use microtome_compiler::TractModel;
use tract_onnx::pb::tensor_proto::DataType::Float;

/// Scale of quantized inputs.
const S: f32 = 0.02;

/// Reproducible reals within ±1.28.
fn reals(seed: u64, count: usize) -> Vec<f32> {
    let noise = noise(seed, count);
    noise.iter().map(|&it| f32::from(it) * 0.01).collect()
}

/// The same as an input quantized with [`S`] has them.
fn steps_of_s(seed: u64, count: usize) -> Vec<f32> {
    let noise = noise(seed, count);
    noise.iter().map(|&it| f32::from(it) * S).collect()
}

fn kinds(model: &[u8]) -> Vec<&'static str> {
    let compiled = compiled(model);
    let plan = compiled.plan.plan();
    plan.steps().map(|step| step.op.operator().kind()).collect()
}

fn assert_near(found: &[f32], wanted: &[f32], tolerance: f32) {
    assert_eq!(found.len(), wanted.len());
    for (index, (a, b)) in found.iter().zip(wanted).enumerate() {
        assert!((a - b).abs() <= tolerance, "[{index}]: {a}, wanted {b}");
    }
}

/// The first output of the plan of `model`.
fn run(model: &[u8], inputs: &[Vec<f32>]) -> Vec<f32> {
    run_real(&compiled(model).plan, inputs).swap_remove(0)
}

/// Compares the plan of `model` with tract.
fn assert_is_tracts(model: &[u8], inputs: &[(&[usize], Vec<f32>)], tolerance: f32) {
    let values: Vec<_> = inputs.iter().map(|(_, values)| values.clone()).collect();
    let shaped: Vec<_> = inputs.iter().map(|(dims, it)| (*dims, &it[..])).collect();
    let wanted = TractModel::load(model).unwrap().run_float(&shaped).unwrap();
    assert_near(&run(model, &values), &wanted[0].1, tolerance);
}

/// A model of float inputs of these axes.
fn float(inputs: &[(&str, &[i64])]) -> Model {
    let add = |model: Model, (name, dims): &(&str, &[i64])| model.input(name, Float, dims);
    inputs.iter().fold(Model::new(), add)
}

/// The same, where `x` is quantized to `xq`.
fn quantized(dims: &[i64]) -> Model {
    float(&[("x", dims)]).quantized("x", "xq", S, 0)
}

fn finish(model: Model) -> Vec<u8> {
    model.output("y", Float).bytes()
}

fn finish_quantized(model: Model, scale: f32, zero: i8) -> Vec<u8> {
    let model = model.quantized("y", "out", scale, zero);
    model.output("out", Float).bytes()
}

#[test]
fn a_product_reads_transposed_and_broadcast_operands_where_they_lie() {
    let perm = Value::Ints(&[0, 1, 3, 2]);
    let model = float(&[("a", &[1, 2, 5, 3]), ("b", &[1, 1, 4, 3])])
        .node("Transpose", &["b"], "bt", &[("perm", perm)])
        .node("MatMul", &["a", "bt"], "y", &[]);
    let model = finish(model);
    assert_eq!(kinds(&model), ["matmul_f32"]);
    let inputs: [(&[usize], _); 2] = [(&[1, 2, 5, 3], reals(1, 30)), (&[1, 1, 4, 3], reals(2, 12))];
    assert_is_tracts(&model, &inputs, 1e-5);
}

#[test]
fn a_product_of_quantized_activations_is_in_integers() {
    let model = float(&[("a", &[1, 2, 5, 3]), ("b", &[1, 2, 3, 4])])
        .quantized("a", "aq", S, 5)
        .quantized("b", "bq", S, -9)
        .node("MatMul", &["aq", "bq"], "y", &[]);
    let model = finish_quantized(model, 0.15, 3);
    assert_eq!(kinds(&model), ["mat_mul"]);
    let inputs: [(&[usize], _); 2] = [(&[1, 2, 5, 3], reals(1, 30)), (&[1, 2, 3, 4], reals(2, 24))];
    assert_is_tracts(&model, &inputs, 0.1501);
}

#[test]
fn gemm_scales_turns_and_broadcasts() {
    let attributes = [
        ("transA", Value::Int(1)),
        ("transB", Value::Int(1)),
        ("alpha", Value::Float(0.5)),
        ("beta", Value::Float(-2.0)),
    ];
    let gemm = |c: &[i64], values: &[f32]| {
        let model = float(&[("x", &[1, 4, 6])])
            .i64s("dims", &[4, 6])
            .node("Reshape", &["x", "dims"], "a", &[])
            .f32s("b", &[3, 4], &reals(2, 12))
            .f32s("c", c, values)
            .node("Gemm", &["a", "b", "c"], "y", &attributes);
        finish(model)
    };
    let inputs: [(&[usize], _); 1] = [(&[1, 4, 6], reals(1, 24))];
    let per_column = gemm(&[3], &reals(3, 3));
    assert_eq!(kinds(&per_column), ["copy", "conv2d_f32"]);
    assert_is_tracts(&per_column, &inputs, 1e-5);
    let per_row = gemm(&[6, 1], &reals(4, 6));
    assert_is_tracts(&per_row, &inputs, 1e-5);
}

#[test]
fn einsum_of_attention_copies_nothing() {
    let equation = Value::Text("bqhd,bkhd->bhqk");
    let model = float(&[("q", &[1, 5, 2, 3]), ("k", &[1, 4, 2, 3])]);
    let model = finish(model.node("Einsum", &["q", "k"], "y", &[("equation", equation)]));
    let inputs: [(&[usize], _); 2] = [(&[1, 5, 2, 3], reals(1, 30)), (&[1, 4, 2, 3], reals(2, 24))];
    assert_is_tracts(&model, &inputs, 1e-5);
}

#[test]
fn softmax_along_an_outer_axis_is_a_copy_and_a_softmax() {
    let axis = [("axis", Value::Int(-2))];
    let model = finish(float(&[("x", &[1, 3, 4])]).node("Softmax", &["x"], "y", &axis));
    assert_eq!(kinds(&model), ["copy", "softmax_f32"]);
    let inputs: [(&[usize], _); 1] = [(&[1, 3, 4], steps_of_s(1, 12))];
    assert_is_tracts(&model, &inputs, 1e-6);

    let model = quantized(&[1, 3, 4]).node("Softmax", &["xq"], "y", &axis);
    let model = finish_quantized(model, 1.0 / 256.0, -128);
    assert_eq!(kinds(&model), ["copy", "softmax"]);
    assert_is_tracts(&model, &inputs, 1.1 / 256.0);
}

#[test]
fn a_logarithm_of_softmax_has_an_integer_form() {
    let model = quantized(&[1, 9]).node("LogSoftmax", &["xq"], "y", &[("axis", Value::Int(-1))]);
    let model = finish_quantized(model, 0.05, 127);
    assert_eq!(kinds(&model), ["log_softmax"]);
    let x = steps_of_s(4, 9);
    let sum: f32 = x.iter().map(|it| it.exp()).sum();
    let wanted: Vec<f32> = x.iter().map(|it| it - sum.ln()).collect();
    assert_near(&run(&model, &[x]), &wanted, 0.051);
}

/// `rows` of `values`, each to mean 0 and variance 1.
fn normalized(values: &[f32], len: usize) -> Vec<f32> {
    let row = |row: &[f32]| {
        let count = row.len() as f32;
        let mean = row.iter().sum::<f32>() / count;
        let variance = row.iter().map(|it| (it - mean).powi(2)).sum::<f32>() / count;
        let deviation = (variance + 1e-5).sqrt();
        row.iter()
            .map(|it| (it - mean) / deviation)
            .collect::<Vec<_>>()
    };
    values.chunks_exact(len).flat_map(row).collect()
}

#[test]
fn a_layer_is_normalised_in_float_and_in_integers() {
    let (gamma, beta) = (reals(7, 16), reals(8, 16));
    let norm = |model: Model, x: &str| {
        let model = model.f32s("g", &[16], &gamma).f32s("b", &[16], &beta);
        model.node("LayerNormalization", &[x, "g", "b"], "y", &[])
    };
    let float = finish(norm(float(&[("x", &[1, 3, 16])]), "x"));
    let integer = finish_quantized(norm(quantized(&[1, 3, 16]), "xq"), 0.03, -4);
    assert_eq!(kinds(&float), ["layer_norm_f32"]);
    assert_eq!(kinds(&integer), ["layer_norm"]);
    let x = steps_of_s(1, 48);
    let normalized = normalized(&x, 16);
    let affine = normalized.iter().enumerate();
    let wanted = affine.map(|(at, it)| it * gamma[at % 16] + beta[at % 16]);
    let wanted: Vec<f32> = wanted.collect();
    assert_near(&run(&float, std::slice::from_ref(&x)), &wanted, 1e-5);
    assert_near(&run(&integer, &[x]), &wanted, 0.031);
}

#[test]
fn channels_are_normalised_over_pixels_in_either_memory() {
    let (gamma, beta) = (reals(7, 4), reals(8, 4));
    for (op, groups) in [("InstanceNormalization", 4), ("GroupNormalization", 2)] {
        let attributes = [("num_groups", Value::Int(groups))];
        let attributes = &attributes[usize::from(groups == 4)..];
        let norm = |model: Model, x: &str| {
            let model = model
                .opset(21)
                .f32s("g", &[4], &gamma)
                .f32s("b", &[4], &beta);
            model.node(op, &[x, "g", "b"], "y", attributes)
        };
        let x = steps_of_s(3, 4 * 15);
        let normalized = normalized(&x, 60 / groups as usize);
        let affine = normalized.iter().enumerate();
        let wanted = affine.map(|(at, it)| it * gamma[at / 15] + beta[at / 15]);
        let wanted: Vec<f32> = wanted.collect();
        let dims = [1, 4, 3, 5];
        let planes = finish(norm(float(&[("x", &dims)]), "x"));
        assert_near(&run(&planes, std::slice::from_ref(&x)), &wanted, 1e-5);
        let integer = finish_quantized(norm(quantized(&dims), "xq"), 0.03, 0);
        assert_near(&run(&integer, std::slice::from_ref(&x)), &wanted, 0.031);
    }
}

#[test]
fn a_batch_norm_is_folded_into_the_convolution_before_it() {
    let statistics = |model: Model| {
        model
            .f32s("g", &[3], &[0.5, -1.5, 2.0])
            .f32s("b", &[3], &[0.1, 0.2, -0.3])
            .f32s("m", &[3], &[0.3, -0.4, 0.0])
            .f32s("v", &[3], &[0.5, 1.5, 2.5])
    };
    let model = float(&[("x", &[1, 2, 6, 5])]).f32s("w", &[3, 2, 3, 3], &reals(5, 54));
    let model = statistics(model)
        .node("Conv", &["x", "w"], "c", &[])
        .node("BatchNormalization", &["c", "g", "b", "m", "v"], "n", &[])
        .node("Relu", &["n"], "y", &[]);
    let folded = finish(model);
    assert_eq!(kinds(&folded), ["conv2d_f32"]);
    let inputs: [(&[usize], _); 1] = [(&[1, 2, 6, 5], reals(1, 60))];
    assert_is_tracts(&folded, &inputs, 1e-5);

    let alone = statistics(quantized(&[1, 3, 2, 2]));
    let alone = alone.node("BatchNormalization", &["xq", "g", "b", "m", "v"], "y", &[]);
    let alone = finish_quantized(alone, 0.05, 1);
    assert_eq!(kinds(&alone), ["depthwise"]);
    let inputs: [(&[usize], _); 1] = [(&[1, 3, 2, 2], steps_of_s(6, 12))];
    assert_is_tracts(&alone, &inputs, 0.051);
}

#[test]
fn a_transposed_convolution_is_tracts() {
    let attributes = [
        ("strides", Value::Ints(&[2, 1])),
        ("pads", Value::Ints(&[1, 0, 0, 1])),
        ("output_padding", Value::Ints(&[1, 0])),
    ];
    let inputs: [(&[usize], _); 1] = [(&[1, 3, 4, 5], steps_of_s(1, 60))];
    let model = float(&[("x", &[1, 3, 4, 5])])
        .f32s("w", &[3, 2, 3, 2], &reals(2, 36))
        .f32s("b", &[2], &[0.5, -0.25])
        .node("ConvTranspose", &["x", "w", "b"], "y", &attributes);
    let model = finish(model);
    assert_eq!(kinds(&model), ["conv_transpose_f32"]);
    assert_is_tracts(&model, &inputs, 1e-4);

    let model = float(&[("x", &[1, 3, 4, 5])])
        .quantized("x", "xq", S, 7)
        .weights("w", &[3, 2, 3, 2], &noise(2, 36), &[0.01, 0.004], 1)
        .node("ConvTranspose", &["xq", "w"], "y", &attributes);
    let model = finish_quantized(model, 0.2, -3);
    assert_eq!(kinds(&model), ["conv_transpose"]);
    assert_is_tracts(&model, &inputs, 0.2001);
}
