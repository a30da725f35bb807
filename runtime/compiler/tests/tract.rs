//! What the tract executor takes, and what it refuses because tract would compute it wrongly.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod common;

use common::onnx::{Model, Value};
use microtome_compiler::{CompileError, Refusal, Tensor, TractModel, Values};
use tract_onnx::pb::tensor_proto::DataType::{Bool, Float, Int8, Int32, Int64};

fn tensor(dims: &[usize], values: Values) -> Tensor {
    Tensor::new(dims.into(), values).unwrap()
}

/// The first output.
fn run(model: Model, inputs: &[Tensor]) -> Tensor {
    let model = TractModel::load(&model.bytes()).unwrap();
    model.run(inputs).unwrap().remove(0)
}

#[test]
fn a_fixed_batch_stays_and_a_free_one_is_one() {
    let model = |batch| {
        Model::new()
            .input("x", Float, &[batch, 2])
            .node("Neg", &["x"], "y", &[])
    };
    let load = |batch| TractModel::load(&model(batch).output("y", Float).bytes()).unwrap();
    assert_eq!(load(3).inputs()[0].dims, [Some(3), Some(2)]);
    assert_eq!(load(0).inputs()[0].dims, [Some(1), Some(2)]);
}

#[test]
fn tensors_keep_their_types() {
    let model = Model::new()
        .input("a", Int32, &[2])
        .input("b", Int32, &[2])
        .node("Less", &["a", "b"], "y", &[])
        .output("y", Bool);
    let ints = |values: [i32; 2]| tensor(&[2], Values::I32(values.into()));
    let found = run(model, &[ints([1, 5]), ints([3, 4])]);
    assert_eq!(found, tensor(&[2], Values::Bool(vec![true, false])));
}

#[test]
fn an_input_that_tract_wants_as_a_constant_may_change_from_run_to_run() {
    let model = Model::new()
        .input("x", Float, &[2, 2])
        .input("axes", Int64, &[1])
        .node(
            "ReduceSum",
            &["x", "axes"],
            "y",
            &[("keepdims", Value::Int(0))],
        )
        .output("y", Float);
    let model = TractModel::load(&model.bytes()).unwrap();
    let x = tensor(&[2, 2], Values::F32(vec![1.0, 2.0, 3.0, 4.0]));
    for (axis, sums) in [(0, [4.0, 6.0]), (1, [3.0, 7.0])] {
        let axes = tensor(&[1], Values::I64(vec![axis]));
        let found = model.run(&[x.clone(), axes]).unwrap();
        assert_eq!(found, [tensor(&[2], Values::F32(sums.into()))]);
    }
}

#[test]
fn inputs_that_do_not_fit_are_an_error() {
    let model = Model::new()
        .input("x", Float, &[2])
        .node("Neg", &["x"], "y", &[]);
    let model = TractModel::load(&model.output("y", Float).bytes()).unwrap();
    assert!(model.run(&[]).is_err());
    assert!(
        model
            .run(&[tensor(&[3], Values::F32(vec![0.0; 3]))])
            .is_err()
    );
    assert!(model.run(&[tensor(&[2], Values::I64(vec![0; 2]))]).is_err());
}

#[test]
fn the_extremum_of_infinities_is_infinite() {
    let far = f32::INFINITY;
    for (op, row, wanted) in [
        ("ReduceMax", [-far, -far], -far),
        ("ReduceMin", [far, far], far),
        ("ReduceMax", [-far, 1.5], 1.5),
        ("ReduceMin", [-2.0, 1.5], -2.0),
    ] {
        let axes = [("axes", Value::Ints(&[1])), ("keepdims", Value::Int(1))];
        let model = Model::new()
            .input("x", Float, &[1, 2])
            .node(op, &["x"], "y", &axes);
        let found = run(
            model.output("y", Float),
            &[tensor(&[1, 2], Values::F32(row.into()))],
        );
        assert_eq!(
            found,
            tensor(&[1, 1], Values::F32(vec![wanted])),
            "{op} of {row:?}"
        );
    }
}

#[test]
fn quantizers_divide_and_saturate() {
    // Next to a tie, where the product with the reciprocal of the scale rounds to the other side.
    let scale = 0.1_f32;
    let reals: Vec<f32> = (0..400)
        .map(|step| (step as f32 + 0.5) * scale - 13.0)
        .collect();
    let steps = |&real: &f32| (real / scale).round_ties_even() as i32;
    let far = [1e20, -1e20, f32::INFINITY, f32::NEG_INFINITY];
    let wanted = reals
        .iter()
        .map(|real| (steps(real) + 5).clamp(-128, 127) as i8);
    let wanted: Vec<i8> = wanted.chain([127, -128, 127, -128]).collect();
    let reals: Vec<f32> = reals.into_iter().chain(far).collect();
    let model = Model::new()
        .input("x", Float, &[1, 404])
        .f32s("s", &[], &[scale])
        .i8s("z", &[], &[5])
        .node("QuantizeLinear", &["x", "s", "z"], "y", &[])
        .output("y", Int8);
    let found = run(model, &[tensor(&[1, 404], Values::F32(reals))]);
    assert_eq!(found, tensor(&[1, 404], Values::I8(wanted)));
}

/// Why loading refuses a model of one node with the inputs `x`, `w` and `r`.
fn refused(op: &str, attributes: &[(&str, Value<'_>)]) -> Option<Refusal> {
    let model = Model::new()
        .input("x", Float, &[3, 1, 2])
        .input("w", Float, &[1, 4, 2])
        .input("r", Float, &[1, 4, 4])
        .node(op, &["x", "w", "r"], "y", attributes)
        .output("y", Float);
    match TractModel::load(&model.bytes()) {
        Err(CompileError::Node { refusal, .. }) => Some(refusal),
        Err(other) => panic!("{other}"),
        Ok(_) => None,
    }
}

#[test]
fn what_tract_ignores_is_refused() {
    let is_wrong = |op, attribute: (&str, Value<'_>)| {
        matches!(
            refused(op, &[attribute]),
            Some(Refusal::WrongInTract { .. })
        )
    };
    assert!(!is_wrong("RNN", ("hidden_size", Value::Int(4))));
    assert!(!is_wrong("RNN", ("direction", Value::Text("forward"))));
    assert!(is_wrong("RNN", ("direction", Value::Text("reverse"))));
    assert!(is_wrong("RNN", ("clip", Value::Float(3.0))));
    assert!(!is_wrong("SpaceToDepth", ("mode", Value::Text("DCR"))));
    assert!(is_wrong("SpaceToDepth", ("mode", Value::Text("CRD"))));
    assert!(is_wrong("Celu", ("alpha", Value::Float(2.0))));
    assert!(is_wrong("Attention", ("left_window_size", Value::Int(2))));
    assert_eq!(
        refused("NoSuchOperator", &[]),
        Some(Refusal::OperatorUnknown)
    );
}

#[test]
fn a_shift_beyond_the_width_is_refused_when_it_comes() {
    let model = Model::new()
        .input("x", Int32, &[1])
        .input("by", Int32, &[1])
        .node(
            "BitShift",
            &["x", "by"],
            "y",
            &[("direction", Value::Text("LEFT"))],
        )
        .output("y", Int32);
    let model = TractModel::load(&model.bytes()).unwrap();
    let int = |value| tensor(&[1], Values::I32(vec![value]));
    assert_eq!(model.run(&[int(3), int(2)]).unwrap(), [int(12)]);
    for by in [-1, 32] {
        let error = model.run(&[int(3), int(by)]).unwrap_err();
        assert!(error.reason.contains("between 0 and the width"), "{error}");
    }
}
