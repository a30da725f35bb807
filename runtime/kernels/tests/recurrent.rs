//! Recurrent cells against the same nets in real arithmetic.
//!
//! Weights are random, int8 with a scale a row; the real net has their exact values, so that the
//! differences are those of activations and gates alone.

mod support;

use microtome_kernels::Operator;
use microtome_kernels::cases::Rng;
use microtome_kernels::reference::recurrent::gru::Gru;
use microtome_kernels::reference::recurrent::lstm::Lstm;
use microtome_kernels::reference::recurrent::rnn::{Activation, Rnn};
use microtome_kernels::reference::recurrent::{Direction, Recurrent, Start};
use support::{Tensor, multiplier, real, reset, run, run_on, store};

const INPUT: (f64, i8) = (0.02, -11);
const HIDDEN: f64 = 1.0 / 128.0;
const CELL_BITS: u32 = 12;

/// Rows of weights of one matrix.
struct Matrix {
    columns: usize,
    weights: Vec<i8>,
    scales: Vec<f64>,
    bias: Vec<f64>,
}

impl Matrix {
    fn random(rng: &mut Rng, rows: usize, columns: usize) -> Self {
        let spread = 1.5 / (columns as f64).sqrt();
        let mut weights = vec![0; rows * columns];
        rng.fill(&mut weights);
        let scale = |_| spread / 128.0 * rng.size(50..=150) as f64 / 100.0;
        let scales: Vec<f64> = (0..rows).map(scale).collect();
        let bias = (0..rows).map(|_| f64::from(rng.int8()) / 128.0).collect();
        Self {
            columns,
            weights,
            scales,
            bias,
        }
    }

    fn constants(&self, (scale, zero): (f64, i8)) -> [Tensor; 4] {
        let rows = self.weights.chunks_exact(self.columns);
        let sums = rows.map(|row| row.iter().map(|&w| i32::from(w)).sum::<i32>());
        let units = self.scales.iter().map(|weight| weight * scale);
        let bias: Vec<i32> = sums
            .zip(self.bias.iter().zip(units.clone()))
            .map(|(sum, (bias, unit))| (bias / unit).round() as i32 - i32::from(zero) * sum)
            .collect();
        let factors = units.map(|unit| multiplier(unit * 65536.0));
        let (mantissas, shifts): (Vec<i32>, Vec<i8>) = factors
            .map(|factor| (factor.mantissa, factor.shift))
            .unzip();
        [
            Tensor::new(&self.weights),
            Tensor::new(&bias),
            Tensor::new(&mantissas),
            Tensor::new(&shifts),
        ]
    }

    fn multiply(&self, vector: &[f64]) -> Vec<f64> {
        let rows = self.weights.chunks_exact(self.columns);
        rows.zip(self.scales.iter().zip(&self.bias))
            .map(|(row, (scale, bias))| {
                let products = row.iter().zip(vector).map(|(&w, x)| f64::from(w) * x);
                products.sum::<f64>() * scale + bias
            })
            .collect()
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// A real cell: from the input's and the hidden vector's matrices, the input, and what is kept
/// (hidden vector, then cell), to what is kept next.
type RealStep = fn(&[Matrix; 2], &[f64], &mut [Vec<f64>; 2]);

fn lstm(matrices: &[Matrix; 2], x: &[f64], [h, c]: &mut [Vec<f64>; 2]) {
    let (x, r) = (matrices[0].multiply(x), matrices[1].multiply(h));
    let size = h.len();
    for at in 0..size {
        let gate = |gate: usize| x[gate * size + at] + r[gate * size + at];
        c[at] = sigmoid(gate(2)) * c[at] + sigmoid(gate(0)) * gate(3).tanh();
        h[at] = sigmoid(gate(1)) * c[at].tanh();
    }
}

fn gru_after(matrices: &[Matrix; 2], x: &[f64], [h, _]: &mut [Vec<f64>; 2]) {
    let (x, r) = (matrices[0].multiply(x), matrices[1].multiply(h));
    let size = h.len();
    for at in 0..size {
        let gate = |gate: usize| sigmoid(x[gate * size + at] + r[gate * size + at]);
        let new = (x[2 * size + at] + gate(1) * r[2 * size + at]).tanh();
        h[at] = (1.0 - gate(0)) * new + gate(0) * h[at];
    }
}

fn gru_before(matrices: &[Matrix; 2], x: &[f64], [h, _]: &mut [Vec<f64>; 2]) {
    let (x, r) = (matrices[0].multiply(x), matrices[1].multiply(h));
    let size = h.len();
    let gate = |gate: usize, at: usize| sigmoid(x[gate * size + at] + r[gate * size + at]);
    let scaled: Vec<f64> = (0..size).map(|at| gate(1, at) * h[at]).collect();
    let r_new = matrices[1].multiply(&scaled);
    for at in 0..size {
        let new = (x[2 * size + at] + r_new[2 * size + at]).tanh();
        h[at] = (1.0 - gate(0, at)) * new + gate(0, at) * h[at];
    }
}

fn rnn_tanh(matrices: &[Matrix; 2], x: &[f64], [h, _]: &mut [Vec<f64>; 2]) {
    let (x, r) = (matrices[0].multiply(x), matrices[1].multiply(h));
    *h = x.iter().zip(r).map(|(x, r)| (x + r).tanh()).collect();
}

/// Root-mean-square and largest difference of the hidden vectors of random nets, in units of
/// their scale.
fn difference(
    gates: usize,
    real_step: RealStep,
    op: impl Fn(Recurrent) -> Box<dyn Operator>,
) -> [f64; 2] {
    let mut rng = Rng::new(8);
    let (mut squares, mut count, mut worst) = (0.0, 0.0, 0_f64);
    for _ in 0..if cfg!(miri) { 1 } else { 20 } {
        let shape = Recurrent {
            time: if cfg!(miri) { 2 } else { 50 },
            features: 20,
            hidden: 32,
            direction: Direction::Forward,
            start: Start::Zero,
            sequence: true,
        };
        let rows = gates * shape.hidden;
        let columns = [shape.features, shape.hidden];
        let matrices = columns.map(|columns| Matrix::random(&mut rng, rows, columns));
        let constants = [
            matrices[0].constants(INPUT),
            matrices[1].constants((HIDDEN, 0)),
        ]
        .concat();
        let mut input = vec![0; shape.time * shape.features];
        rng.fill(&mut input);
        let op = op(shape);
        let outputs = run(&*op, &[Tensor::new(&input)], &constants);
        let got = real(&outputs[0].get::<i8>(), HIDDEN, 0);

        let mut kept = [vec![0.0; shape.hidden], vec![0.0; shape.hidden]];
        let input = real(&input, INPUT.0, INPUT.1);
        for (x, got) in input
            .chunks_exact(shape.features)
            .zip(got.chunks_exact(shape.hidden))
        {
            real_step(&matrices, x, &mut kept);
            for (got, exact) in got.iter().zip(&kept[0]) {
                let difference = (got - exact) / HIDDEN;
                worst = worst.max(difference.abs());
                squares += difference * difference;
                count += 1.0;
            }
        }
    }
    [(squares / count).sqrt(), worst]
}

fn check(name: &str, [rms, worst]: [f64; 2], limits: [f64; 2]) {
    println!("{name}: rms {rms:.3}, largest {worst:.3}");
    assert!(
        rms < limits[0] && worst < limits[1],
        "{name}: {rms} {worst}"
    );
}

#[test]
fn an_lstm_is_close() {
    let op = |shape| -> Box<dyn Operator> {
        Box::new(Lstm {
            shape,
            cell_bits: CELL_BITS,
        })
    };
    check("lstm", difference(4, lstm, op), [0.32, 1.5]);
}

#[test]
fn a_gru_is_close() {
    for (reset_after, step) in [(true, gru_after as RealStep), (false, gru_before)] {
        let op = |shape| -> Box<dyn Operator> { Box::new(Gru { shape, reset_after }) };
        check("gru", difference(3, step, op), [0.33, 2.0]);
    }
}

#[test]
fn a_simple_cell_is_close() {
    let activation = Activation::Tanh;
    let op = |shape| -> Box<dyn Operator> { Box::new(Rnn { shape, activation }) };
    check("rnn", difference(1, rnn_tanh, op), [0.45, 3.0]);
}

const SMALL: Recurrent = Recurrent {
    time: 6,
    features: 3,
    hidden: 4,
    direction: Direction::Forward,
    start: Start::Zero,
    sequence: true,
};

fn small_constants(rng: &mut Rng, gates: usize, directions: usize) -> Vec<Tensor> {
    let rows = directions * gates * SMALL.hidden;
    let [x, h] = [SMALL.features, SMALL.hidden].map(|columns| Matrix::random(rng, rows, columns));
    [x.constants(INPUT), h.constants((HIDDEN, 0))].concat()
}

fn small_input(rng: &mut Rng) -> Vec<i8> {
    let mut input = vec![0; SMALL.time * SMALL.features];
    rng.fill(&mut input);
    input
}

/// Makes a cell of a shape.
type Maker = fn(Recurrent) -> Box<dyn Operator>;

#[test]
fn a_stream_in_parts_is_the_sequence() {
    let mut rng = Rng::new(9);
    let input = small_input(&mut rng);
    let lstm = |shape| -> Box<dyn Operator> {
        Box::new(Lstm {
            shape,
            cell_bits: CELL_BITS,
        })
    };
    let gru = |shape| -> Box<dyn Operator> {
        Box::new(Gru {
            shape,
            reset_after: true,
        })
    };
    let makers: [(usize, Maker); 2] = [(4, lstm), (3, gru)];
    for (gates, op) in makers {
        let constants = small_constants(&mut rng, gates, 1);
        let whole = run(&*op(SMALL), &[Tensor::new(&input)], &constants);
        let part = op(Recurrent {
            time: 2,
            start: Start::Kept,
            ..SMALL
        });
        let mut state = reset(&*part);
        let mut sequence = Vec::new();
        for input in input.chunks_exact(2 * SMALL.features) {
            let outputs = run_on(&*part, &[Tensor::new(input)], &constants, &mut state);
            sequence.extend(outputs[0].get::<i8>());
        }
        assert_eq!(sequence, whole[0].get::<i8>());
        // The last hidden vector is the last of the sequence.
        assert_eq!(sequence[5 * SMALL.hidden..], whole[1].get::<i8>());
    }
}

#[test]
fn a_start_that_is_given_goes_on_where_a_run_ended() {
    let mut rng = Rng::new(10);
    let input = small_input(&mut rng);
    let constants = small_constants(&mut rng, 4, 1);
    let lstm = |shape| Lstm {
        shape,
        cell_bits: CELL_BITS,
    };
    let whole = run(&lstm(SMALL), &[Tensor::new(&input)], &constants);
    let half = Recurrent { time: 3, ..SMALL };
    let (first, second) = input.split_at(3 * SMALL.features);
    let before = run(&lstm(half), &[Tensor::new(first)], &constants);
    let given = lstm(Recurrent {
        start: Start::Given,
        sequence: false,
        ..half
    });
    let inputs = [Tensor::new(second), before[1].clone(), before[2].clone()];
    let after = run(&given, &inputs, &constants);
    assert_eq!(after[0].get::<i8>(), whole[1].get::<i8>());
    assert_eq!(after[1].get::<i16>(), whole[2].get::<i16>());
}

#[test]
fn both_directions_are_one_forward_and_one_reverse() {
    let mut rng = Rng::new(11);
    let input = small_input(&mut rng);
    let constants = small_constants(&mut rng, 1, 2);
    let rnn = |direction| Rnn {
        shape: Recurrent { direction, ..SMALL },
        activation: Activation::Relu {
            factor: multiplier(1.0 / 65536.0 / 0.05),
            store: store(0),
        },
    };
    let both = run(&rnn(Direction::Both), &[Tensor::new(&input)], &constants);
    let sequence = both[0].get::<i8>();
    for (index, direction) in [Direction::Forward, Direction::Reverse]
        .into_iter()
        .enumerate()
    {
        let half = |tensor: &Tensor| match tensor.get::<i8>() {
            bytes if index == 0 => Tensor::new(&bytes[..bytes.len() / 2]),
            bytes => Tensor::new(&bytes[bytes.len() / 2..]),
        };
        let own: Vec<Tensor> = constants.iter().map(half).collect();
        let single = run(&rnn(direction), &[Tensor::new(&input)], &own);
        let part = |step: &[i8]| step[index * SMALL.hidden..][..SMALL.hidden].to_vec();
        let of_both: Vec<i8> = sequence
            .chunks_exact(2 * SMALL.hidden)
            .flat_map(part)
            .collect();
        assert_eq!(single[0].get::<i8>(), of_both);
        assert_eq!(single[1].get::<i8>(), part(&both[1].get::<i8>()));
        let last = if index == 0 { 5 } else { 0 };
        assert_eq!(
            of_both[last * SMALL.hidden..][..SMALL.hidden],
            single[1].get::<i8>()
        );
    }
}
