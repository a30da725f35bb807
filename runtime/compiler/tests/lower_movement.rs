//! Operators that move or reduce elements, on int8: the plan computes what tract computes in float,
//! to half a step of the output's scale for each rounding, with the kernels that are stated. Float
//! is the conformance suite's.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod common;

use common::onnx::{Model, Value};
use common::{compiled, noise, run_real};
use microtome_compiler::{Options, TractModel, compile};
use tract_onnx::pb::tensor_proto::DataType::Float;

/// Scale of the inputs.
const S: f32 = 0.05;

/// An input `x` of these axes, quantized as `xq`.
fn input(dims: &[i64]) -> Model {
    Model::new()
        .input("x", Float, dims)
        .quantized("x", "xq", S, 3)
}

/// Quantizes `y`, at the scale and zero point of the input, and makes it the output.
fn kept(model: Model) -> Vec<u8> {
    scaled(model, S)
}

/// The same at another scale.
fn scaled(model: Model, scale: f32) -> Vec<u8> {
    model
        .quantized("y", "out", scale, 3)
        .output("out", Float)
        .bytes()
}

/// Checks that the plan has these steps and computes, to `tolerance` LSB, what tract computes.
fn assert_runs(model: &[u8], steps: &[&str], tolerance: f32) {
    let compiled = compiled(model);
    let plan = compiled.plan.plan();
    let kinds: Vec<_> = plan.steps().map(|it| it.op.operator().kind()).collect();
    assert_eq!(kinds, steps);
    let manifest = plan.manifest();
    let tract = TractModel::load(model).unwrap();
    let ports = manifest.inputs.iter().zip(7..);
    let reals: Vec<Vec<f32>> = ports
        .map(|(port, seed)| {
            let integers = noise(seed, port.len());
            integers.iter().map(|&it| port.dequantize(it)).collect()
        })
        .collect();
    let found = run_real(&compiled.plan, &reals);
    let inputs = manifest.inputs.iter().zip(&reals);
    let inputs: Vec<_> = inputs.map(|(port, it)| (&port.dims[..], &it[..])).collect();
    let (dims, wanted) = tract.run_float(&inputs).unwrap().swap_remove(0);
    let port = &manifest.outputs[0];
    assert_eq!(&port.dims[..], &dims[..]);
    for (index, (a, b)) in found[0].iter().zip(&wanted).enumerate() {
        let far = (a - b).abs() / port.scale;
        assert!(far <= tolerance + 1e-3, "[{index}]: {a}, tract has {b}");
    }
}

#[test]
fn slices_forwards_and_backwards() {
    let model = input(&[1, 3, 6, 5])
        .i64s("starts", &[-1, 1])
        .i64s("ends", &[i64::MIN, 100])
        .i64s("axes", &[2, 3])
        .i64s("steps", &[-2, 3])
        .node(
            "Slice",
            &["xq", "starts", "ends", "axes", "steps"],
            "y",
            &[],
        );
    assert_runs(&kept(model), &["copy"], 0.0);
}

#[test]
fn concatenated_operands_of_one_scale_are_copied() {
    let model = input(&[1, 2, 4]).node(
        "Concat",
        &["xq", "xq", "xq"],
        "y",
        &[("axis", Value::Int(-1))],
    );
    assert_runs(&kept(model), &["concat"], 0.0);
}

#[test]
fn concatenated_operands_of_other_scales_are_rescaled() {
    let model = input(&[1, 2, 4])
        .input("z", Float, &[1, 3, 4])
        .quantized("z", "zq", 0.02, 0)
        .node("Concat", &["xq", "zq"], "y", &[("axis", Value::Int(1))]);
    assert_runs(&kept(model), &["rescale", "concat"], 0.5);
}

#[test]
fn more_operands_than_a_step_has_are_concatenated_in_turn() {
    let operands = ["xq"; 11];
    let model = input(&[1, 3]).node("Concat", &operands, "y", &[("axis", Value::Int(1))]);
    assert_runs(&kept(model), &["concat", "concat"], 0.0);
}

#[test]
fn pads_by_copies_of_the_input() {
    for mode in ["edge", "reflect"] {
        let model = input(&[1, 2, 4, 5])
            .i64s("pads", &[0, 0, 1, 2, 0, 0, 3, 1])
            .node("Pad", &["xq", "pads"], "y", &[("mode", Value::Text(mode))]);
        assert_runs(&kept(model), &["pad"], 0.0);
    }
}

#[test]
fn negative_padding_is_a_slice() {
    let model = input(&[1, 4, 5]).i64s("pads", &[0, -1, 2, 0, 0, -1]).node(
        "Pad",
        &["xq", "pads"],
        "y",
        &[],
    );
    let kinds = compiled(&kept(model)).plan.plan().steps().count();
    assert_eq!(kinds, 2);
}

#[test]
fn repeats_along_new_and_old_axes() {
    let expand =
        input(&[1, 3, 1])
            .i64s("shape", &[2, 3, 4])
            .node("Expand", &["xq", "shape"], "y", &[]);
    assert_runs(&kept(expand), &["copy"], 0.0);
    let tile =
        input(&[1, 3, 2])
            .i64s("repeats", &[2, 1, 3])
            .node("Tile", &["xq", "repeats"], "y", &[]);
    assert_runs(&kept(tile), &["copy"], 0.0);
}

#[test]
fn gathers_by_constant_indices() {
    let model = input(&[1, 5, 3]).i64s("indices", &[4, 0, -2]).node(
        "Gather",
        &["xq", "indices"],
        "y",
        &[("axis", Value::Int(1))],
    );
    assert_runs(&kept(model), &["gather"], 0.0);
    let single = input(&[1, 5, 3]).i64s("indices", &[2]).node(
        "Gather",
        &["xq", "indices"],
        "y",
        &[("axis", Value::Int(1))],
    );
    assert_runs(&kept(single), &["copy"], 0.0);
}

#[test]
fn blocks_go_to_space_and_back() {
    let block = [("blocksize", Value::Int(2))];
    let space = input(&[1, 8, 2, 3]).node("DepthToSpace", &["xq"], "y", &block);
    assert_runs(&kept(space), &["copy"], 0.0);
    let depth = input(&[1, 2, 4, 6]).node("SpaceToDepth", &["xq"], "y", &block);
    assert_runs(&kept(depth), &["copy"], 0.0);
}

#[test]
fn reduces_any_axes_to_sums_means_and_extrema() {
    let axes = [("axes", Value::Ints(&[1, 3])), ("keepdims", Value::Int(0))];
    for (op, kind, scale, tolerance) in [
        ("ReduceMean", "reduce_sum", 0.02, 0.5),
        ("ReduceMax", "reduce_max", S, 0.0),
        ("ReduceMin", "reduce_min", S, 0.0),
    ] {
        let model = input(&[1, 3, 4, 5]).node(op, &["xq"], "y", &axes);
        assert_runs(&scaled(model, scale), &[kind], tolerance);
    }
    let model =
        input(&[1, 3, 4, 5])
            .i64s("axes", &[-1])
            .node("ReduceSum", &["xq", "axes"], "y", &[]);
    assert_runs(&scaled(model, 0.3), &["reduce_sum"], 0.5);
}

#[test]
fn a_reduction_without_an_integer_kernel_is_computed_in_float() {
    let axes = [("axes", Value::Ints(&[2]))];
    let model = input(&[1, 3, 4]).node("ReduceL2", &["xq"], "y", &axes);
    let steps = ["dequantize", "reduce_f32", "quantize"];
    assert_runs(&scaled(model, 0.2), &steps, 0.5);
}

#[test]
fn resizes_of_images_stay_int8() {
    let resize = |mode, rules| {
        input(&[1, 3, 4, 5])
            .f32s("none", &[0], &[])
            .f32s("scales", &[4], &[1.0, 1.0, 2.0, 2.0])
            .node(
                "Resize",
                &["xq", "none", "scales"],
                "y",
                &[
                    ("mode", Value::Text(mode)),
                    ("coordinate_transformation_mode", Value::Text(rules)),
                    ("nearest_mode", Value::Text("floor")),
                ],
            )
    };
    assert_runs(&kept(resize("nearest", "asymmetric")), &["copy"], 0.0);
    for rules in ["half_pixel", "align_corners", "asymmetric"] {
        // Halves go up in the kernel, and to the even value in the model's quantizer.
        assert_runs(&kept(resize("linear", rules)), &["resize_linear"], 1.0);
    }
}

#[test]
fn operators_of_unknown_shapes_are_refused_by_name() {
    for op in ["NonZero", "Unique"] {
        let model = input(&[1, 4]).node(op, &["xq"], "y", &[]);
        let refusal = compile(&kept(model), &Options::new("test")).unwrap_err();
        assert!(refusal.to_string().contains(op), "{refusal}");
    }
}
