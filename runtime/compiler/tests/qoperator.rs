//! Every form of quantization that onnxruntime makes, and its contributed operators: what the
//! rewritten models compute, in tract and as plans, against onnxruntime.
//!
//! `data/make_qoperator_golden.py` makes the fixture, and says what a case is.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod common;

use common::onnx::Model;
use common::{noise, run_real};
use microtome_compiler::{CompileError, Fate, Note, Options, Refusal, Report, TractModel, compile};
use ndarray::{ArrayD, Axis, Ix1, IxDyn, OwnedRepr};
use ndarray_npy::NpzReader;
use proptest::prelude::*;
use prost::Message;
use std::io::Cursor;
use std::sync::LazyLock;
use tract_onnx::pb::ModelProto;
use tract_onnx::pb::tensor_proto::DataType::Float;

/// A model of the fixture.
struct Case {
    name: String,
    model: Vec<u8>,
    /// Samples, the batch (1) in front.
    inputs: Vec<ArrayD<f32>>,
    /// What onnxruntime computes of each.
    outputs: Vec<Vec<f32>>,
}

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let bytes: &[u8] = include_bytes!("data/qoperator.npz");
    let mut fixture = NpzReader::new(Cursor::new(bytes)).unwrap();
    let names = fixture.names().unwrap();
    let models = names.iter().filter_map(|name| name.strip_suffix("/model"));
    let mut case = |name: &str| {
        let family = name.split('.').next().unwrap();
        let model = fixture.by_name::<OwnedRepr<u8>, Ix1>(&format!("{name}/model"));
        let mut floats = |name: String| {
            let array = fixture.by_name::<OwnedRepr<f32>, IxDyn>(&name).unwrap();
            let samples = array.axis_iter(Axis(0));
            samples
                .map(|it| it.to_owned())
                .collect::<Vec<ArrayD<f32>>>()
        };
        let inputs = floats(format!("{family}/input"));
        let outputs = floats(format!("{name}/output"));
        Case {
            name: name.into(),
            model: model.unwrap().to_vec(),
            inputs: inputs
                .into_iter()
                .map(|it| it.insert_axis(Axis(0)))
                .collect(),
            outputs: outputs
                .iter()
                .map(|it| it.iter().copied().collect())
                .collect(),
        }
    };
    models.map(&mut case).collect()
});

fn cases(form: &str) -> impl Iterator<Item = &'static Case> {
    let found = CASES.iter().filter(move |case| case.name.contains(form));
    assert!(found.clone().count() > 0, "{form}");
    found
}

fn case(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.name == name).unwrap()
}

impl Case {
    fn family(&self) -> &str {
        self.name.split('.').next().unwrap()
    }

    fn proto(&self) -> ModelProto {
        ModelProto::decode(&*self.model).unwrap()
    }

    /// The step of the model's output, if it ends with a `DequantizeLinear`.
    fn output_scale(&self) -> Option<f32> {
        let graph = self.proto().graph.unwrap();
        let mut nodes = graph.node.iter().rev();
        let last = nodes.find(|node| !matches!(&*node.op_type, "Transpose"))?;
        let scale = (last.op_type == "DequantizeLinear").then(|| &last.input[1])?;
        let tensor = graph.initializer.iter().find(|it| it.name == *scale)?;
        match &*tensor.raw_data {
            [] => tensor.float_data.first().copied(),
            raw => Some(f32::from_le_bytes(raw[..4].try_into().unwrap())),
        }
    }

    fn tract(&self) -> Vec<Vec<f32>> {
        let tract = TractModel::load(&self.model);
        let tract = tract.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let run = |input: &ArrayD<f32>| {
            let values: Vec<f32> = input.iter().copied().collect();
            let outputs = tract.run_float(&[(input.shape(), &values)]).unwrap();
            outputs.into_iter().next().unwrap().1
        };
        self.inputs.iter().map(run).collect()
    }

    fn plan(&self) -> Result<(Vec<Vec<f32>>, Report), CompileError> {
        let compiled = compile(&self.model, &Options::new("test"))?;
        let run = |input: &ArrayD<f32>| {
            let outputs = run_real(&compiled.plan, &[input.iter().copied().collect()]);
            outputs.into_iter().next().unwrap()
        };
        Ok((self.inputs.iter().map(run).collect(), compiled.report))
    }

    /// Differences from onnxruntime in units of `step`.
    fn differences(&self, found: &[Vec<f32>], step: f32) -> Differences {
        let mut differences = Differences::default();
        for (found, wanted) in found.iter().zip(&self.outputs) {
            assert_eq!(found.len(), wanted.len(), "{}", self.name);
            for (a, b) in found.iter().zip(wanted) {
                let steps = (a - b).abs() / step;
                assert!(!steps.is_nan(), "{}", self.name);
                differences.all += 1;
                differences.different += usize::from(steps > 0.5);
                differences.largest = differences.largest.max(steps);
            }
        }
        differences
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Differences {
    all: usize,
    different: usize,
    largest: f32,
}

impl Differences {
    fn add(&mut self, other: Self) {
        self.all += other.all;
        self.different += other.different;
        self.largest = self.largest.max(other.largest);
    }
}

#[test]
fn static_quantization_in_tract_is_onnxruntimes() {
    for case in cases(".qoperator.").chain(cases(".qdq.")) {
        let step = case.output_scale().unwrap_or(1e-3);
        let differences = case.differences(&case.tract(), step);
        // Means of six are often half between two steps; sums of floats then decide.
        let different_most = if case.family() == "average_pool" {
            20
        } else {
            0
        };
        assert!(
            differences.different <= different_most && differences.largest < 1.01,
            "{}: {differences:?}",
            case.name
        );
    }
}

/// Families that have been compiled since this test was written; more may be.
const COMPILED: &[&str] = &[
    "add",
    "average_pool",
    "conv",
    "dense",
    "depthwise",
    "global_pool",
    "matmul",
    "max_pool",
    "mul",
    "net",
    "softmax",
    "views",
];

/// Families of which every value is onnxruntime's; the others differ where a tie is rounded, in
/// the softmax, and where a mean and a change of scale are two steps.
const EXACT: &[&str] = &[
    "add",
    "conv",
    "dense",
    "depthwise",
    "global_pool",
    "matmul",
    "max_pool",
    "mul",
    "views",
];

#[test]
fn plans_are_onnxruntimes_to_one_step() {
    let mut kept = Differences::default();
    let mut rounded = Differences::default();
    for case in cases(".qoperator.").chain(cases(".qdq.")) {
        let (outputs, report) = match case.plan() {
            Ok(plan) => plan,
            Err(error) => {
                assert!(!COMPILED.contains(&case.family()), "{}: {error}", case.name);
                continue;
            }
        };
        let step = case.output_scale().unwrap_or(1.0 / 256.0);
        let differences = case.differences(&outputs, step);
        // A product of two multiplies a step of one by the other: onnxruntime itself, given the
        // rounded weights, differs in 30 values of this one, by up to 3 steps.
        let is_multiplied = case.family() == "mul" && !report.notes.is_empty();
        let most = if is_multiplied { 3.01 } else { 1.01 };
        assert!(differences.largest < most, "{}: {differences:?}", case.name);
        assert!(
            !is_multiplied || differences.different <= 30,
            "{differences:?}"
        );
        if report.notes.is_empty() {
            let is_exact = differences.different == 0 || !EXACT.contains(&case.family());
            assert!(is_exact, "{}: {differences:?}", case.name);
            kept.add(differences);
        } else {
            assert!(case.name.contains("u8u8"), "{}", case.name);
            rounded.add(differences);
        }
    }
    println!("weights kept: {kept:?}; weights rounded: {rounded:?}");
    assert!(
        kept.all > 10_000 && kept.different * 50 <= kept.all,
        "{kept:?}"
    );
    assert!(
        rounded.all > 3000 && rounded.different * 10 <= rounded.all,
        "{rounded:?}"
    );
}

#[test]
fn dynamic_quantization_in_tract_is_onnxruntimes_but_for_the_rounding_of_activations() {
    for case in cases(".dynamic.") {
        let outputs = case.outputs.iter().flatten();
        let span = outputs.fold(0.0_f32, |span, value| span.max(value.abs()));
        let differences = case.differences(&case.tract(), span);
        let largest = differences.largest;
        assert!(
            largest > 0.0 && largest < 0.01,
            "{}: {largest} of the span",
            case.name
        );
    }
}

#[test]
fn dynamic_quantization_compiles_to_real_products() {
    for case in cases(".dynamic.") {
        let (outputs, report) = case
            .plan()
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let is_dynamic = |note: &Note| matches!(note, Note::Dynamic { .. });
        assert!(report.notes.iter().all(is_dynamic), "{}", case.name);
        assert!(!report.notes.is_empty(), "{}", case.name);
        let tract = case.tract();
        let pairs = outputs.iter().flatten().zip(tract.iter().flatten());
        for (a, b) in pairs {
            assert!((a - b).abs() < 1e-5, "{}: {a}, tract has {b}", case.name);
        }
    }
}

#[test]
fn operators_that_only_onnxruntime_has_are_computed_in_tract() {
    for case in cases(".plain") {
        let (step, steps) = match (&*case.name, case.output_scale()) {
            // Its integer kernel rounds ties of means otherwise.
            ("nhwc_pools.plain", Some(scale)) => (scale, 1.01),
            // Its activations are rounded as it runs.
            ("dynamic_matmul.plain", _) => (0.025, 1.0),
            (_, Some(scale)) => (scale, 0.01),
            (_, None) => (1e-5, 1.0),
        };
        let largest = case.differences(&case.tract(), step).largest;
        assert!(largest <= steps, "{}: {largest} · {step}", case.name);
    }
}

#[test]
fn a_constant_that_is_no_weight_keeps_its_zero_point() {
    // Less the zero point of 100 these are no int8.
    let model = Model::new()
        .input("x", Float, &[1, 4])
        .quantized("x", "xq", 0.05, 3)
        .i8s("c_q", &[4], &[-128, 127, 0, 90])
        .f32s("c_scale", &[], &[0.02])
        .i8s("c_zero", &[], &[100])
        .node("DequantizeLinear", &["c_q", "c_scale", "c_zero"], "c", &[])
        .node("Mul", &["xq", "c"], "y", &[])
        .quantized("y", "out", 0.2, -5)
        .output("out", Float)
        .bytes();
    let compiled = compile(&model, &Options::new("test")).unwrap();
    let parsed = compiled.plan.plan();
    let kinds: Vec<_> = parsed.steps().map(|it| it.op.operator().kind()).collect();
    assert_eq!(kinds, ["mul"]);
    assert_eq!(compiled.report.notes, []);
    for seed in 0..32 {
        let input: Vec<f32> = noise(seed, 4)
            .iter()
            .map(|&it| 0.05 * (f32::from(it) - 3.0))
            .collect();
        let found = run_real(&compiled.plan, std::slice::from_ref(&input)).swap_remove(0);
        for ((x, c), found) in input.iter().zip([-228.0, 27.0, -100.0, -10.0]).zip(found) {
            let wanted = (x * 0.02 * c).clamp(-123.0 * 0.2, 132.0 * 0.2);
            assert!((found - wanted).abs() <= 0.101, "{x} · {c}: {found}");
        }
    }
}

#[test]
fn the_report_lists_the_nodes_of_the_file() {
    let case = case("net.qoperator.u8s8");
    let (_, report) = case.plan().unwrap();
    let graph = case.proto().graph.unwrap();
    let wanted: Vec<_> = graph
        .node
        .iter()
        .map(|it| (&*it.name, &*it.op_type))
        .collect();
    let found: Vec<_> = report.nodes.iter().map(|it| (&*it.name, &*it.op)).collect();
    assert_eq!(found, wanted);
    for node in &report.nodes {
        let is_step = matches!(node.fate, Fate::Step(_));
        let computes = !matches!(&*node.op, "QuantizeLinear" | "DequantizeLinear" | "Flatten");
        assert_eq!(is_step, computes, "{node:?}");
    }
}

#[test]
fn rounded_weights_are_reported_with_their_largest_error() {
    let (_, report) = case("conv.qoperator.u8u8").plan().unwrap();
    let [note] = &*report.notes else {
        panic!("{:?}", report.notes);
    };
    let message = note.to_string();
    let Note::WeightsRounded {
        channels: 1,
        channels_all: 4,
        error_steps,
        ..
    } = *note
    else {
        panic!("{message}");
    };
    assert!(error_steps > 0.4 && error_steps < 1.0, "{message}");
    assert!(
        message.contains("1 of 4 channels, by up to 0.5"),
        "{message}"
    );
    let (_, kept) = case("conv.qoperator.u8s8").plan().unwrap();
    assert_eq!(kept.notes, []);
}

/// The net of the fixture after `change`.
fn changed(change: impl FnOnce(&mut ModelProto)) -> Vec<u8> {
    let mut proto = case("net.qdq.s8s8").proto();
    change(&mut proto);
    proto.encode_to_vec()
}

fn refusal(model: &[u8]) -> (String, String, Refusal) {
    match compile(model, &Options::new("test")).unwrap_err() {
        CompileError::Node { node, op, refusal } => (node, op, refusal),
        other => panic!("{other}"),
    }
}

#[test]
fn formats_that_no_plan_has_are_refused_by_name() {
    let types = [(5, "int16"), (4, "uint16"), (22, "int4"), (17, "float8")];
    for (data_type, name) in types {
        let model = changed(|proto| {
            let graph = proto.graph.as_mut().unwrap();
            let mut nodes = graph.node.iter();
            let quantize = nodes.find(|it| it.op_type == "QuantizeLinear").unwrap();
            let zero = quantize.input[2].clone();
            let mut tensors = graph.initializer.iter_mut();
            tensors.find(|it| it.name == zero).unwrap().data_type = data_type;
        });
        let (_, op, refusal) = refusal(&model);
        assert!(
            ["QuantizeLinear", "DequantizeLinear"].contains(&&*op),
            "{op}"
        );
        assert!(
            matches!(refusal, Refusal::Type { found, .. } if found == name),
            "{refusal}"
        );
    }
    let blocked = changed(|proto| {
        let node = &mut proto.graph.as_mut().unwrap().node[0];
        node.attribute.push(tract_onnx::pb::AttributeProto {
            name: "block_size".into(),
            i: 32,
            ..Default::default()
        });
    });
    assert!(matches!(refusal(&blocked).2, Refusal::Quantization { .. }));
    for op in ["MatMulNBits", "DynamicQuantizeLSTM"] {
        let model = changed(|proto| {
            let node = &mut proto.graph.as_mut().unwrap().node[0];
            (node.op_type, node.domain) = (op.into(), "com.microsoft".into());
        });
        let (_, found, refusal) = refusal(&model);
        assert_eq!(found, op);
        assert!(matches!(refusal, Refusal::Quantization { .. }), "{refusal}");
    }
}

#[test]
fn an_operator_that_nobody_knows_is_named_by_both() {
    let model = changed(|proto| {
        let node = &mut proto.graph.as_mut().unwrap().node[0];
        (node.name, node.op_type) = ("odd".into(), "Frobnicate".into());
    });
    let (node, op, found) = refusal(&model);
    assert_eq!(
        (&*node, &*op, found),
        ("odd", "Frobnicate", Refusal::Operator)
    );
    let error = TractModel::load(&model).unwrap_err();
    let wanted = CompileError::Node {
        node: "odd".into(),
        op: "Frobnicate".into(),
        refusal: Refusal::OperatorUnknown,
    };
    assert_eq!(error, wanted);
}

#[test]
fn a_scale_that_is_no_constant_is_named() {
    let mut proto = case("conv.qoperator.u8s8").proto();
    let graph = proto.graph.as_mut().unwrap();
    let conv = graph
        .node
        .iter()
        .find(|it| it.op_type == "QLinearConv")
        .unwrap();
    let (name, scale) = (conv.name.clone(), conv.input[6].clone());
    graph.initializer.retain(|it| it.name != scale);
    let (node, op, refusal) = refusal(&proto.encode_to_vec());
    assert_eq!((node, &*op), (name, "QLinearConv"));
    assert_eq!(refusal, Refusal::NotConstant { value: scale });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_models_never_panic(
        index in 0..10_000_usize,
        damage in prop::collection::vec((0..100_000_usize, any::<u8>()), 1..4),
    ) {
        let case = &CASES[index % CASES.len()];
        let mut model = case.model.clone();
        for (at, byte) in damage {
            let len = model.len();
            model[at % len] = byte;
        }
        // Compiled, loaded or refused: all are right.
        let _ = compile(&model, &Options::new("test"));
        let _ = TractModel::load(&model);
    }
}
