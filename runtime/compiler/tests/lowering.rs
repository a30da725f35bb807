//! Every lowering on a tiny model: the plan computes what tract computes in float, to half a step
//! of the output's scale for each rounding.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod common;

use common::onnx::{Model, Value};
use common::{compiled, noise, run_real};
use microtome_compiler::{Fate, Options, TractModel, compile};
use tract_onnx::pb::tensor_proto::DataType::{Float, Int8, Uint8};

/// Scale of the inputs and weights below: sums stay small and most values do not saturate.
const S: f32 = 0.05;

/// An input `x` of these axes, quantized as `xq`.
fn image(dims: &[i64]) -> Model {
    Model::new()
        .input("x", Float, dims)
        .quantized("x", "xq", S, 3)
}

/// Quantizes `y` and makes it the output.
fn finish(model: Model, scale: f32, zero: i8) -> Vec<u8> {
    model
        .quantized("y", "out", scale, zero)
        .output("out", Float)
        .bytes()
}

/// Kinds of the plan's steps.
fn steps(model: &[u8]) -> Vec<&'static str> {
    compiled(model)
        .plan
        .plan()
        .steps()
        .map(|step| step.op.operator().kind())
        .collect()
}

/// Runs `model` on noise, in the plan and in tract, and compares to `tolerance` LSB.
fn assert_is_tracts(model: &[u8], tolerance: f32) {
    let compiled = compiled(model);
    let plan = compiled.plan.plan();
    let manifest = plan.manifest();
    let tract = TractModel::load(model).unwrap();
    for seed in 0..4 {
        let real = |(index, port): (usize, &microtome_plan::Port<'_>)| {
            let integers = noise(seed * 7 + index as u64, port.len());
            integers
                .iter()
                .map(|&value| port.dequantize(value))
                .collect::<Vec<f32>>()
        };
        let inputs: Vec<_> = manifest.inputs.iter().enumerate().map(real).collect();
        let found = run_real(&compiled.plan, &inputs);
        let ports = manifest.inputs.iter().zip(&inputs);
        let wanted: Vec<(&[usize], &[f32])> = ports
            .map(|(port, input)| (&port.dims[..], &input[..]))
            .collect();
        let wanted = tract.run_float(&wanted).unwrap();
        for (port, (found, (dims, wanted))) in
            manifest.outputs.iter().zip(found.iter().zip(&wanted))
        {
            assert_eq!(&port.dims[..], &dims[..]);
            for (index, (a, b)) in found.iter().zip(wanted).enumerate() {
                let far = (a - b).abs() / port.scale;
                assert!(
                    far <= tolerance + 1e-3,
                    "{}[{index}]: {a}, tract has {b}",
                    port.name
                );
            }
        }
    }
}

fn weights(count: usize) -> Vec<i8> {
    noise(99, count)
}

#[test]
fn conv_with_per_channel_scales_padding_and_bias() {
    let model = image(&[0, 3, 7, 6])
        .weights(
            "w",
            &[4, 3, 3, 2],
            &weights(72),
            &[0.01, 0.02, 0.005, 0.03],
            0,
        )
        .f32s("b", &[4], &[0.5, -1.0, 0.25, 0.0])
        .node(
            "Conv",
            &["xq", "w", "b"],
            "y",
            &[
                ("pads", Value::Ints(&[0, 1, 2, 0])),
                ("strides", Value::Ints(&[2, 1])),
                ("dilations", Value::Ints(&[1, 2])),
            ],
        );
    let model = finish(model, 0.2, -7);
    assert_eq!(steps(&model), ["conv2d"]);
    assert_is_tracts(&model, 1.0);
}

#[test]
fn conv_grouped_depthwise_and_in_one_dimension() {
    let group = |groups| [("group", Value::Int(groups))];
    let grouped = image(&[1, 4, 5, 5])
        .weights("w", &[6, 2, 3, 3], &weights(108), &[0.01], 0)
        .node("Conv", &["xq", "w"], "y", &group(2));
    let grouped = finish(grouped, 0.2, 0);
    assert_eq!(steps(&grouped), ["conv2d"]);
    assert_is_tracts(&grouped, 1.0);

    let depthwise = image(&[1, 4, 5, 5])
        .weights("w", &[8, 1, 3, 3], &weights(72), &[0.01], 0)
        .node("Conv", &["xq", "w"], "y", &group(4));
    let depthwise = finish(depthwise, 0.1, 0);
    assert_eq!(steps(&depthwise), ["depthwise"]);
    assert_is_tracts(&depthwise, 1.0);

    let sequence = image(&[1, 2, 9])
        .weights("w", &[3, 2, 3], &weights(18), &[0.01], 0)
        .node(
            "Conv",
            &["xq", "w"],
            "y",
            &[("dilations", Value::Ints(&[2]))],
        );
    assert_is_tracts(&finish(sequence, 0.1, 5), 1.0);
}

#[test]
fn conv_with_every_auto_pad() {
    for auto_pad in ["SAME_UPPER", "SAME_LOWER", "VALID"] {
        let model = image(&[1, 2, 6, 7])
            .weights("w", &[2, 2, 3, 2], &weights(24), &[0.01], 0)
            .node(
                "Conv",
                &["xq", "w"],
                "y",
                &[
                    ("auto_pad", Value::Text(auto_pad)),
                    ("strides", Value::Ints(&[2, 2])),
                ],
            );
        assert_is_tracts(&finish(model, 0.1, 0), 1.0);
    }
}

#[test]
fn a_quantized_bias_keeps_its_own_scale() {
    let model = image(&[1, 2, 3, 3])
        .weights("w", &[2, 2, 1, 1], &weights(4), &[0.01, 0.02], 0)
        .i32s("bq", &[2], &[1200, -777])
        .f32s("bs", &[], &[0.001])
        .node("DequantizeLinear", &["bq", "bs"], "b", &[])
        .node("Conv", &["xq", "w", "b"], "y", &[]);
    assert_is_tracts(&finish(model, 0.05, 0), 1.0);
}

#[test]
fn relu_and_clip_are_fused_where_no_quantizer_stands_between() {
    let model = image(&[1, 2, 4, 4])
        .weights("w", &[3, 2, 1, 1], &weights(6), &[0.02], 0)
        .node("Conv", &["xq", "w"], "c", &[])
        .f32s("low", &[], &[-1.5])
        .f32s("high", &[], &[2.0])
        .node("Clip", &["c", "low", "high"], "r", &[])
        .node("Relu", &["r"], "y", &[]);
    let model = finish(model, 0.05, -20);
    assert_eq!(steps(&model), ["conv2d"]);
    assert_is_tracts(&model, 1.0);
    let fates: Vec<_> = compiled(&model)
        .report
        .nodes
        .iter()
        .map(|it| (it.op.clone(), it.fate))
        .collect();
    assert!(
        fates.contains(&("Relu".into(), Fate::FusedInto(0))),
        "{fates:?}"
    );
}

#[test]
fn relu_between_quantizers_is_a_clamp_a_rescale_or_nothing() {
    let relu = |zero, scale| {
        let model = Model::new()
            .input("x", Float, &[1, 8])
            .quantized("x", "xq", S, zero);
        finish(model.node("Relu", &["xq"], "y", &[]), scale, zero)
    };
    assert_eq!(steps(&relu(10, S)), ["clamp"]);
    assert_eq!(steps(&relu(10, 0.08)), ["rescale"]);
    assert_eq!(steps(&relu(-128, S)), [""; 0]);
    for model in [relu(10, S), relu(10, 0.08), relu(-128, S)] {
        assert_is_tracts(&model, 1.0);
    }
}

#[test]
fn gemm_and_matmul_are_dense_layers() {
    for (dims, transposed) in [([5, 12], 1), ([12, 5], 0)] {
        let model = image(&[0, 12])
            .weights("w", &dims, &weights(60), &[0.01], 0)
            .f32s("b", &[5], &[0.1, 0.2, -0.3, 0.0, 1.0])
            .node(
                "Gemm",
                &["xq", "w", "b"],
                "y",
                &[("transB", Value::Int(transposed))],
            );
        assert_is_tracts(&finish(model, 0.1, 0), 1.0);
    }
    let scales = [0.01, 0.02, 0.03, 0.04, 0.005];
    let model = image(&[1, 3, 12])
        .weights("w", &[12, 5], &weights(60), &scales, 1)
        .node("MatMul", &["xq", "w"], "m", &[])
        .f32s("b", &[5], &[0.1, 0.2, -0.3, 0.0, 1.0])
        .node("Add", &["b", "m"], "y", &[]);
    let model = finish(model, 0.2, 0);
    assert_eq!(steps(&model), ["conv2d"]);
    assert_is_tracts(&model, 1.0);
}

#[test]
fn a_flattened_image_has_its_dense_weights_permuted() {
    let model = image(&[1, 2, 3, 4])
        .node("Flatten", &["xq"], "f", &[])
        .weights("w", &[3, 24], &weights(72), &[0.01], 0)
        .node(
            "MaxPool",
            &["xq"],
            "unused",
            &[("kernel_shape", Value::Ints(&[2, 2]))],
        )
        .node("Gemm", &["f", "w"], "y", &[("transB", Value::Int(1))]);
    let model = finish(model, 0.1, 0);
    let order = compiled(&model).plan.plan().manifest().inputs[0]
        .order
        .to_vec();
    assert_eq!(order, [0, 2, 3, 1]);
    assert_is_tracts(&model, 1.0);
}

#[test]
fn the_ports_have_the_models_axes() {
    let transpose = |model: Model, from, to, perm| {
        model.node("Transpose", &[from], to, &[("perm", Value::Ints(perm))])
    };
    let model = Model::new().input("x", Float, &[0, 5, 4, 3]);
    let model = transpose(model, "x", "t", &[0, 3, 1, 2])
        .quantized("t", "xq", S, 0)
        .weights("w", &[2, 3, 1, 1], &weights(6), &[0.02], 0)
        .node("Conv", &["xq", "w"], "c", &[])
        .quantized("c", "cq", 0.1, 0);
    let model = transpose(model, "cq", "out", &[0, 2, 3, 1])
        .output("out", Float)
        .bytes();
    let compiled = compiled(&model);
    let plan = compiled.plan.plan();
    let (input, output) = (&plan.manifest().inputs[0], &plan.manifest().outputs[0]);
    assert_eq!(
        (&input.dims[..], &input.order[..]),
        (&[1, 5, 4, 3][..], &[0, 1, 2, 3][..])
    );
    assert_eq!(
        (&output.dims[..], &output.order[..]),
        (&[1, 5, 4, 2][..], &[0, 1, 2, 3][..])
    );
    assert_is_tracts(&model, 1.0);
}

#[test]
fn add_of_two_scales_in_place() {
    let model = Model::new()
        .input("x", Float, &[1, 3, 4, 5])
        .input("z", Float, &[1, 3, 4, 5])
        .quantized("x", "xq", 0.05, 3)
        .quantized("z", "zq", 0.02, -60)
        .node("Add", &["xq", "zq"], "s", &[])
        .node("Relu", &["s"], "y", &[]);
    let model = finish(model, 0.06, -100);
    assert_eq!(steps(&model), ["add"]);
    assert_is_tracts(&model, 1.0);
    assert_eq!(compiled(&model).report.arena_bytes, 120);
}

#[test]
fn an_addition_swaps_its_operands_to_work_in_place() {
    // `xq` lives on, so that only the second operand can be replaced.
    let model = image(&[1, 2, 4, 4])
        .weights("w", &[2, 2, 1, 1], &weights(4), &[0.02], 0)
        .node("Conv", &["xq", "w"], "c", &[])
        .quantized("c", "cq", 0.04, 9)
        .node("Add", &["xq", "cq"], "a", &[])
        .quantized("a", "aq", 0.1, -3)
        .node("Add", &["aq", "xq"], "y", &[]);
    let model = finish(model, 0.15, 0);
    assert_is_tracts(&model, 1.5);
    assert_eq!(compiled(&model).report.arena_bytes, 64);
}

#[test]
fn an_activation_plus_itself() {
    let model = image(&[1, 8]).node("Add", &["xq", "xq"], "y", &[]);
    assert_is_tracts(&finish(model, 0.1, 0), 1.0);
}

#[test]
fn average_pools() {
    let kernel = |pads: &'static [i64], counts| {
        [
            ("kernel_shape", Value::Ints(&[2, 3])),
            ("pads", Value::Ints(pads)),
            ("count_include_pad", Value::Int(counts)),
        ]
    };
    let pool = |pads, counts, scale, zero| {
        let model = image(&[1, 2, 5, 6]);
        finish(
            model.node("AveragePool", &["xq"], "y", &kernel(pads, counts)),
            scale,
            zero,
        )
    };
    let padded = &[1, 1, 0, 1];
    assert_is_tracts(&pool(&[0, 0, 0, 0], 0, 0.03, -9), 1.0);
    assert_is_tracts(&pool(&[0, 0, 0, 0], 0, S, 3), 1.0);
    assert_is_tracts(&pool(padded, 1, S, 3), 1.0);
    assert_is_tracts(&pool(padded, 0, S, 3), 1.0);
    let rescaled = pool(padded, 0, 0.03, -9);
    assert_eq!(steps(&rescaled), ["average_pool", "rescale"]);
    assert_is_tracts(&rescaled, 2.0);
}

#[test]
fn global_average_as_a_pool_or_a_mean() {
    let pool = image(&[1, 4, 5, 6]).node("GlobalAveragePool", &["xq"], "y", &[]);
    assert_is_tracts(&finish(pool, 0.01, 0), 1.0);
    let attributes = [
        ("axes", Value::Ints(&[-2, -1])),
        ("keepdims", Value::Int(0)),
    ];
    let mean = image(&[1, 4, 5, 6]).node("ReduceMean", &["xq"], "y", &attributes);
    let mean = finish(mean, 0.01, 0);
    assert_is_tracts(&mean, 1.0);
    let plan = compiled(&mean).plan;
    assert_eq!(&plan.plan().manifest().outputs[0].dims[..], &[1, 4]);
}

#[test]
fn max_pool_keeps_its_scale() {
    let attributes = [
        ("kernel_shape", Value::Ints(&[3, 3])),
        ("strides", Value::Ints(&[2, 2])),
        ("pads", Value::Ints(&[1, 1, 1, 1])),
    ];
    let model = image(&[1, 3, 6, 7]).node("MaxPool", &["xq"], "y", &attributes);
    let model = finish(model, S, 3);
    assert_eq!(steps(&model), ["max_pool"]);
    assert_is_tracts(&model, 0.0);
}

#[test]
fn pad_with_zero_and_with_a_number() {
    for value in [0.0, 1.0] {
        let model = image(&[1, 2, 3, 4])
            .i64s("pads", &[0, 1, 2, 0, 0, 0, 1, 3])
            .f32s("value", &[], &[value])
            .node("Pad", &["xq", "pads", "value"], "y", &[]);
        let model = finish(model, S, 3);
        assert_eq!(steps(&model), ["pad"]);
        assert_is_tracts(&model, 0.0);
    }
}

#[test]
fn softmax_over_channels_ends_in_float_or_another_scale() {
    let axis = [("axis", Value::Int(1))];
    let float = image(&[1, 4, 3, 3]).node("Softmax", &["xq"], "out", &axis);
    let float = float.output("out", Float).bytes();
    assert_eq!(steps(&float), ["softmax"]);
    assert_is_tracts(&float, 1.0);
    let rescaled = image(&[1, 4, 3, 3]).node("Softmax", &["xq"], "y", &axis);
    let rescaled = finish(rescaled, 0.01, -100);
    assert_eq!(steps(&rescaled), ["softmax", "rescale"]);
    assert_is_tracts(&rescaled, 1.5);
}

#[test]
fn uint8_is_int8_shifted() {
    let model = Model::new()
        .input("x", Float, &[1, 2, 4, 4])
        .f32s("s", &[], &[S])
        .u8s("z", &[], &[131])
        .node("QuantizeLinear", &["x", "s", "z"], "q", &[])
        .node("DequantizeLinear", &["q", "s", "z"], "xq", &[])
        .u8s("wu", &[2, 2, 1, 1], &[0, 100, 128, 255])
        .f32s("ws", &[], &[0.02])
        .u8s("wz", &[], &[128])
        .node("DequantizeLinear", &["wu", "ws", "wz"], "w", &[])
        .node("Conv", &["xq", "w"], "y", &[]);
    let model = finish(model, 0.1, 0);
    assert_eq!(compiled(&model).plan.plan().manifest().inputs[0].zero, 3);
    assert_is_tracts(&model, 1.0);
}

#[test]
fn integer_inputs_and_outputs_stay_integers() {
    let model = Model::new()
        .input("x", Int8, &[1, 6])
        .f32s("s", &[], &[S])
        .node("DequantizeLinear", &["x", "s"], "xq", &[])
        .f32s("t", &[], &[0.1])
        .i8s("z", &[], &[1])
        .node("QuantizeLinear", &["xq", "t", "z"], "out", &[])
        .output("out", Int8)
        .bytes();
    let plan = compiled(&model).plan;
    let types = plan.plan().manifest().inputs[0].model_type;
    assert_eq!(types, microtome_plan::ModelType::I8);
    let found = common::run(&plan, &[vec![-128, -3, 0, 1, 2, 127]]);
    assert_eq!(found[0], [-63, 0, 1, 2, 2, 65]);
    let unsigned = Model::new()
        .input("x", Uint8, &[1, 6])
        .node("Identity", &["x"], "y", &[])
        .output("y", Uint8)
        .bytes();
    let refusal = compile(&unsigned, &Options::new("test"));
    let message = refusal.unwrap_err().to_string();
    assert!(message.contains("uint8"), "{message}");
}

#[test]
fn scales_and_axes_may_come_from_constant_nodes() {
    let model = Model::new()
        .input("x", Float, &[0, 2, 3, 4])
        .node("Constant", &[], "s", &[("value", Value::Scalar(S))])
        .i8s("z", &[], &[-4])
        .node("QuantizeLinear", &["x", "s", "z"], "q", &[])
        .node("DequantizeLinear", &["q", "s", "z"], "xq", &[])
        .node("GlobalAveragePool", &["xq"], "p", &[])
        .quantized("p", "pq", 0.02, 0)
        // As PyTorch exports `flatten`: the batch of the shape is computed.
        .node("Shape", &["pq"], "shape", &[])
        .i64s("first", &[0])
        .node("Gather", &["shape", "first"], "batch", &[])
        .i64s("rest", &[-1])
        .node(
            "Concat",
            &["batch", "rest"],
            "axes",
            &[("axis", Value::Int(0))],
        )
        .node("Reshape", &["pq", "axes"], "f", &[])
        .weights("w", &[2, 3], &weights(6), &[0.01], 0)
        .node("MatMul", &["f", "w"], "y", &[]);
    let model = finish(model, 0.02, 0);
    assert_eq!(steps(&model), ["average_pool", "conv2d"]);
    assert_is_tracts(&model, 1.0);
}

#[test]
fn the_report_names_every_node_of_the_model() {
    let model = image(&[1, 2, 4, 4])
        .weights("w", &[3, 2, 1, 1], &weights(6), &[0.02], 0)
        .node("Conv", &["xq", "w"], "y", &[])
        .node("Sigmoidal", &[], "never", &[]);
    let unknown = compile(&finish(model, 0.05, 0), &Options::new("test"));
    assert!(
        unknown.is_err(),
        "even an unused operator has to be known to be read"
    );
    let model = image(&[1, 2, 4, 4])
        .weights("w", &[3, 2, 1, 1], &weights(6), &[0.02], 0)
        .node("Relu", &["xq"], "never", &[])
        .node("Conv", &["xq", "w"], "y", &[]);
    let report = compiled(&finish(model, 0.05, 0)).report;
    let fates: Vec<_> = report
        .nodes
        .iter()
        .map(|it| format!("{}: {}", it.op, it.fate))
        .collect();
    assert_eq!(
        fates,
        [
            "QuantizeLinear: folded",
            "DequantizeLinear: no copy",
            "DequantizeLinear: folded",
            "Relu: unused",
            "Conv: step 0",
            "QuantizeLinear: fused into step 0",
            "DequantizeLinear: no copy",
        ]
    );
    // Six weights; a bias, a mantissa and a shift for each of three channels.
    assert_eq!((report.macs, report.constants_bytes), (96, 6 + 3 * 9));
}
