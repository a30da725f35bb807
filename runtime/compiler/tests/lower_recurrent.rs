//! Recurrent cells on tiny models, against ONNX's formulas: in float to its precision, in integers
//! to a few hundredths of what a hidden vector can be.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod common;

use common::onnx::{Model, Value};
use common::{compiled, noise, run_real};
use microtome_compiler::{Options, compile};
use tract_onnx::pb::tensor_proto::DataType::Float;

const TIME: usize = 7;
const FEATURES: usize = 5;
const HIDDEN: usize = 4;
/// Scale of the quantized input.
const S: f32 = 0.01;

fn reals(seed: u64, count: usize, scale: f32) -> Vec<f32> {
    let noise = noise(seed, count);
    noise.iter().map(|&it| f32::from(it) * scale).collect()
}

/// Weights of one direction.
struct Weights {
    x: Vec<f32>,
    h: Vec<f32>,
    bias: Vec<f32>,
}

impl Weights {
    fn new(seed: u64, gates: usize) -> Self {
        let rows = gates * HIDDEN;
        Self {
            x: reals(seed, rows * FEATURES, 0.008),
            h: reals(seed + 1, rows * HIDDEN, 0.008),
            bias: reals(seed + 2, 2 * rows, 0.004),
        }
    }

    /// Products of row `row` with the input and with the hidden vector, each with its bias.
    fn sums(&self, row: usize, x: &[f32], h: &[f32]) -> [f32; 2] {
        let dot = |matrix: &[f32], vector: &[f32]| -> f32 {
            let row = &matrix[row * vector.len()..][..vector.len()];
            row.iter().zip(vector).map(|(a, b)| a * b).sum()
        };
        let half = self.bias.len() / 2;
        [
            dot(&self.x, x) + self.bias[row],
            dot(&self.h, h) + self.bias[half + row],
        ]
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// A step: the weights, the input, the hidden vector and the cell.
type Step = fn(&Weights, &[f32], &[f32], &mut [f32]) -> Vec<f32>;

fn lstm(weights: &Weights, x: &[f32], h: &[f32], cell: &mut [f32]) -> Vec<f32> {
    let step = |at: usize| {
        let gate = |gate: usize| -> f32 { weights.sums(gate * HIDDEN + at, x, h).iter().sum() };
        let (input, output, forget) = (sigmoid(gate(0)), sigmoid(gate(1)), sigmoid(gate(2)));
        cell[at] = forget * cell[at] + input * gate(3).tanh();
        output * cell[at].tanh()
    };
    (0..HIDDEN).map(step).collect()
}

fn gru_reset_after(weights: &Weights, x: &[f32], h: &[f32], _: &mut [f32]) -> Vec<f32> {
    let step = |at: usize| {
        let gate = |gate: usize| weights.sums(gate * HIDDEN + at, x, h);
        let update = sigmoid(gate(0).iter().sum());
        let reset = sigmoid(gate(1).iter().sum());
        let [of_x, of_h] = gate(2);
        (1.0 - update) * (of_x + reset * of_h).tanh() + update * h[at]
    };
    (0..HIDDEN).map(step).collect()
}

fn plain(weights: &Weights, x: &[f32], h: &[f32], _: &mut [f32]) -> Vec<f32> {
    let sum = |at| weights.sums(at, x, h).iter().sum::<f32>();
    (0..HIDDEN).map(|at| sum(at).tanh()).collect()
}

/// `[time][direction][hidden]`, as ONNX defines it.
fn sequence(directions: &[(Weights, bool)], x: &[f32], step: Step) -> Vec<f32> {
    let mut all = vec![0.0; TIME * directions.len() * HIDDEN];
    for (direction, (weights, reverse)) in directions.iter().enumerate() {
        let (mut hidden, mut cell) = (vec![0.0; HIDDEN], vec![0.0; HIDDEN]);
        for at in 0..TIME {
            let at = if *reverse { TIME - 1 - at } else { at };
            hidden = step(weights, &x[at * FEATURES..][..FEATURES], &hidden, &mut cell);
            let first = (at * directions.len() + direction) * HIDDEN;
            all[first..][..HIDDEN].copy_from_slice(&hidden);
        }
    }
    all
}

/// The model of a cell over `x`, `[1, time, features]`, which the cell reads as `[time, 1, …]`.
fn model(op: &str, gates: i64, directions: &[(Weights, bool)], quantized: bool) -> Vec<u8> {
    let count = directions.len() as i64;
    let (hidden, features) = (HIDDEN as i64, FEATURES as i64);
    let joined = |part: fn(&Weights) -> &Vec<f32>| -> Vec<f32> {
        directions
            .iter()
            .flat_map(|(it, _)| part(it).clone())
            .collect()
    };
    let name = match directions {
        [(_, false)] => "forward",
        [_] => "reverse",
        _ => "bidirectional",
    };
    let mut attributes = vec![
        ("hidden_size", Value::Int(hidden)),
        ("direction", Value::Text(name)),
    ];
    if op == "GRU" {
        attributes.push(("linear_before_reset", Value::Int(1)));
    }
    let input = Model::new().input("x", Float, &[1, TIME as i64, features]);
    let (input, x) = match quantized {
        true => (input.quantized("x", "xq", S, 3), "xq"),
        false => (input, "x"),
    };
    let model = input
        .node("Transpose", &[x], "t", &[("perm", Value::Ints(&[1, 0, 2]))])
        .f32s("w", &[count, gates * hidden, features], &joined(|it| &it.x))
        .f32s("r", &[count, gates * hidden, hidden], &joined(|it| &it.h))
        .f32s("b", &[count, 2 * gates * hidden], &joined(|it| &it.bias))
        .node(op, &["t", "w", "r", "b"], "y", &attributes);
    if quantized {
        let model = model.quantized("y", "out", 1.0 / 128.0, 0);
        return model.output("out", Float).bytes();
    }
    model.output("y", Float).bytes()
}

fn check(op: &str, gates: usize, step: Step) {
    let kind = op.to_lowercase();
    for reverse in [&[false][..], &[true], &[false, true]] {
        let directions = reverse.iter().enumerate();
        let directions = directions.map(|(at, &it)| (Weights::new(10 * at as u64, gates), it));
        let directions: Vec<_> = directions.collect();
        let x = reals(99, TIME * FEATURES, S);
        let wanted = sequence(&directions, &x, step);
        for (quantized, kind, tolerance) in [
            (false, format!("{kind}_f32"), 1e-5),
            (true, kind.clone(), 0.03),
        ] {
            let model = model(op, gates as i64, &directions, quantized);
            let compiled = compiled(&model);
            let plan = compiled.plan.plan();
            let kinds: Vec<_> = plan.steps().map(|it| it.op.operator().kind()).collect();
            assert_eq!(kinds, [kind]);
            let found = run_real(&compiled.plan, std::slice::from_ref(&x)).swap_remove(0);
            assert_eq!(found.len(), wanted.len());
            for (index, (a, b)) in found.iter().zip(&wanted).enumerate() {
                assert!((a - b).abs() <= tolerance, "{op}[{index}]: {a}, wanted {b}");
            }
        }
    }
}

#[test]
fn an_lstm_is_onnxs_in_every_direction() {
    check("LSTM", 4, lstm);
}

#[test]
fn a_gru_is_onnxs_in_every_direction() {
    check("GRU", 3, gru_reset_after);
}

#[test]
fn a_plain_cell_is_onnxs_in_every_direction() {
    check("RNN", 1, plain);
}

#[test]
fn sequences_that_end_early_are_refused_by_name() {
    let (hidden, features) = (HIDDEN as i64, FEATURES as i64);
    let lens = |len: i32| {
        let model = Model::new()
            .input("x", Float, &[1, TIME as i64, features])
            .node(
                "Transpose",
                &["x"],
                "t",
                &[("perm", Value::Ints(&[1, 0, 2]))],
            )
            .f32s("w", &[1, hidden, features], &[0.1; HIDDEN * FEATURES])
            .f32s("r", &[1, hidden, hidden], &[0.1; HIDDEN * HIDDEN])
            .i32s("lens", &[1], &[len])
            .node(
                "RNN",
                &["t", "w", "r", "", "lens"],
                "y",
                &[("hidden_size", Value::Int(hidden))],
            )
            .output("y", Float)
            .bytes();
        compile(&model, &Options::new("test")).map(drop)
    };
    assert_eq!(lens(TIME as i32), Ok(()));
    let error = lens(3).unwrap_err().to_string();
    assert!(
        error.contains("RNN") && error.contains("sequence_lens"),
        "{error}"
    );
}
