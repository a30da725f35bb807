//! From a float model and samples to int8: how near, what is shared, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod common;

use common::noise;
use common::onnx::{Model, Value};
use microtome_compiler::{
    CalibrationError, CompileError, Compiled, Options, QuantizationReport, Sample, Samples, Score,
    Truth, compile,
};
use microtome_kernels::Element;
use tract_onnx::pb::tensor_proto::DataType;

const CHANNELS: usize = 8;

/// Numbers between −1 and 1.
fn uniform(seed: u64, count: usize) -> Vec<f32> {
    let bytes = noise(seed, count);
    bytes.iter().map(|&it| f32::from(it) / 128.0).collect()
}

fn samples(count: usize, len: usize) -> Samples {
    let sample = |seed| -> Sample {
        let values = uniform(1000 + seed as u64, len);
        vec![values.iter().map(|&it| it.into()).collect()]
    };
    Samples {
        inputs: (0..count).map(sample).collect(),
        truth: None,
    }
}

fn calibrated(model: &[u8], samples: &Samples) -> Result<Compiled, CompileError> {
    let mut options = Options::new("test");
    options.calibration = Some(samples);
    compile(model, &options)
}

fn report(compiled: &Compiled) -> &QuantizationReport {
    compiled.report.quantization.as_ref().unwrap()
}

/// Two 3×3 convolutions with a ReLU between; channel `c` of the first is `spread^c` as large.
fn convolutions(spread: f32) -> Vec<u8> {
    let grown = |values: Vec<f32>, taps: usize| -> Vec<f32> {
        let channel = values.chunks(taps).enumerate();
        let grown = channel.flat_map(|(channel, weights)| {
            weights
                .iter()
                .map(move |it| it * spread.powi(channel as i32))
        });
        grown.collect()
    };
    let same = [("pads", Value::Ints(&[1, 1, 1, 1]))];
    let (c, k) = (CHANNELS as i64, 3);
    Model::new()
        .input("x", DataType::Float, &[1, 2, 6, 6])
        .f32s("w1", &[c, 2, k, k], &grown(uniform(1, CHANNELS * 18), 18))
        .f32s("b1", &[c], &grown(uniform(2, CHANNELS), 1))
        .f32s("w2", &[c, c, k, k], &uniform(3, CHANNELS * CHANNELS * 9))
        .node("Conv", &["x", "w1", "b1"], "h", &same)
        .node("Relu", &["h"], "r", &[])
        .node("Conv", &["r", "w2"], "y", &same)
        .output("y", DataType::Float)
        .bytes()
}

#[test]
fn a_float_model_becomes_int8_and_stays_near() {
    let compiled = calibrated(&convolutions(1.0), &samples(16, 72)).unwrap();
    let plan = compiled.plan.plan();
    let manifest = plan.manifest();
    assert_eq!(manifest.inputs[0].element, Element::I8);
    assert_eq!(manifest.outputs[0].element, Element::I8);
    assert_eq!(plan.steps().len(), 2, "two convolutions, and no conversion");
    let report = report(&compiled);
    assert_eq!(report.samples, 16);
    assert!(report.outputs[0].snr_db > 38.0, "{report:?}");
    let lost: Vec<f64> = report.edges.iter().map(|edge| edge.snr_db).collect();
    assert!(lost.is_sorted(), "the worst comes first: {lost:?}");
    assert_eq!(report.edges.len(), 3, "x, r and y");
    assert!(report.float_nodes.is_empty());
}

#[test]
fn the_same_samples_make_the_same_plan() {
    let plan = || {
        calibrated(&convolutions(1.5), &samples(8, 72))
            .unwrap()
            .plan
    };
    assert_eq!(plan().digest(), plan().digest());
}

#[test]
fn channels_of_different_size_are_equalized() {
    let compiled = calibrated(&convolutions(3.0), &samples(16, 72)).unwrap();
    let report = report(&compiled);
    assert_eq!(report.chains_equalized, 1);
    assert!(report.outputs[0].snr_db > 30.0, "{report:?}");
}

#[test]
fn without_samples_a_float_model_stays_float() {
    let compiled = compile(&convolutions(1.0), &Options::new("test")).unwrap();
    assert!(compiled.report.quantization.is_none());
    let plan = compiled.plan.plan();
    assert_eq!(plan.manifest().inputs[0].element, Element::F32);
}

#[test]
fn a_maximum_has_one_quantization_on_all_sides() {
    let model = Model::new()
        .input("x", DataType::Float, &[1, 16])
        .f32s("w", &[16, 16], &uniform(5, 256))
        .f32s("v", &[16, 16], &uniform(6, 256))
        .node("MatMul", &["x", "w"], "a", &[])
        .node("MatMul", &["x", "v"], "b", &[])
        .node("Max", &["a", "b"], "y", &[])
        .output("y", DataType::Float)
        .bytes();
    let compiled = calibrated(&model, &samples(12, 16)).unwrap();
    let report = report(&compiled);
    let of = |name: &str| {
        let edge = report.edges.iter().find(|edge| edge.name == name).unwrap();
        (edge.scale, edge.zero)
    };
    assert_eq!(of("a"), of("y"));
    assert_eq!(of("b"), of("y"));
    assert_ne!(of("x"), of("y"));
    assert!(report.outputs[0].snr_db > 35.0, "{report:?}");
}

#[test]
fn a_softmax_has_its_own_quantization_and_labels_are_counted() {
    let model = Model::new()
        .input("x", DataType::Float, &[1, 16])
        .f32s("w", &[16, 4], &uniform(7, 64))
        .node("MatMul", &["x", "w"], "a", &[])
        .node("Softmax", &["a"], "y", &[("axis", Value::Int(1))])
        .output("y", DataType::Float)
        .bytes();
    let mut samples = samples(20, 16);
    let weights = uniform(7, 64);
    let class = |sample: &Sample| {
        let sum = |class: usize| -> f64 {
            let pairs = sample[0].iter().enumerate();
            pairs
                .map(|(at, it)| it * f64::from(weights[at * 4 + class]))
                .sum()
        };
        let best = (0..4).max_by(|&a, &b| sum(a).total_cmp(&sum(b)));
        vec![best.unwrap() as i64]
    };
    samples.truth = Some(Truth::Classes(samples.inputs.iter().map(class).collect()));
    let compiled = calibrated(&model, &samples).unwrap();
    let report = report(&compiled);
    let output = report.edges.iter().find(|edge| edge.name == "y").unwrap();
    assert_eq!((output.scale, output.zero), (1.0 / 256.0, -128));
    let accuracy = report.accuracy.unwrap();
    assert_eq!((accuracy.score, accuracy.float), (Score::Accuracy, 1.0));
    assert!(accuracy.int8 >= 0.9, "{accuracy:?}");
    samples.truth = Some(Truth::Values(vec![vec![0.0; 3]; 20]));
    let error = calibrated(&model, &samples).unwrap_err();
    assert!(matches!(
        error,
        CompileError::Calibration(CalibrationError::Labels { found: 3, .. })
    ));
}

#[test]
fn an_operator_without_integer_form_stays_float_and_is_named() {
    let model = Model::new()
        .input("x", DataType::Float, &[1, 16])
        .f32s("w", &[16, 16], &uniform(8, 256))
        .f32s("two", &[1], &[2.0])
        .node("MatMul", &["x", "w"], "a", &[])
        .node("Pow", &["a", "two"], "p", &[])
        .node("MatMul", &["p", "w"], "y", &[])
        .output("y", DataType::Float)
        .bytes();
    let compiled = calibrated(&model, &samples(8, 16)).unwrap();
    let report = report(&compiled);
    let named: Vec<&str> = report.float_nodes.iter().map(|(_, op)| &**op).collect();
    assert_eq!(named, ["Pow"]);
    assert!(report.outputs[0].snr_db > 30.0, "{report:?}");
}

#[test]
fn bad_samples_are_refused_by_name() {
    let model = convolutions(1.0);
    let refused = |samples: &Samples| match calibrated(&model, samples).unwrap_err() {
        CompileError::Calibration(error) => error,
        other => panic!("{other}"),
    };
    assert_eq!(refused(&Samples::default()), CalibrationError::Empty);
    assert!(matches!(
        refused(&samples(3, 71)),
        CalibrationError::Shape {
            sample: 0,
            found: 71,
            expected: 72,
            ..
        }
    ));
    let mut nan = samples(3, 72);
    nan.inputs[2][0][5] = f64::NAN;
    assert!(matches!(
        refused(&nan),
        CalibrationError::Value { sample: 2, .. }
    ));
    let mut two = samples(3, 72);
    two.inputs[1].push(vec![0.0; 72]);
    assert!(matches!(
        refused(&two),
        CalibrationError::Inputs {
            sample: 1,
            found: 2,
            expected: 1
        }
    ));
    let mut huge = samples(3, 72);
    huge.inputs[0][0].fill(3e38);
    assert!(matches!(
        refused(&huge),
        CalibrationError::NotFinite { sample: 0, .. }
    ));
}

#[test]
fn a_model_that_is_quantized_already_is_refused() {
    let model = Model::new()
        .input("x", DataType::Float, &[1, 4])
        .quantized("x", "q", 0.1, 3)
        .node("Relu", &["q"], "r", &[])
        .quantized("r", "y", 0.1, 3)
        .output("y", DataType::Float)
        .bytes();
    let error = calibrated(&model, &samples(2, 4)).unwrap_err();
    assert!(matches!(
        error,
        CompileError::Calibration(CalibrationError::AlreadyQuantized { .. })
    ));
}
