//! What the tests of all recurrent cells share: random weights, and the loops around a step.

extern crate std;

use super::{Direction, Outputs, Recurrence};
use crate::float::source::Source;
use crate::float::testing::{Data, close, floats, noise, run, run_many};
use crate::float::unary::{Function, UnaryKind};
use crate::operator::Operator;
use std::vec;
use std::vec::Vec;

pub const RECURRENCE: Recurrence = Recurrence {
    steps: 4,
    batch: 2,
    input: 3,
    hidden: 5,
    direction: Direction::Forward,
    weights: Source::Constant,
    bias: Source::Constant,
    initial: Source::Operand,
    keeps_state: false,
    clip: None,
    outputs: Outputs {
        sequence: true,
        hidden: true,
        cell: true,
    },
};

pub const fn no_cell(mut recurrence: Recurrence) -> Recurrence {
    recurrence.outputs.cell = false;
    recurrence
}

pub const fn plain(kind: UnaryKind) -> Function {
    Function::plain(kind)
}

/// One step of one sequence, with the weights of all gates.
pub struct Case {
    pub direction: usize,
    x: Vec<f32>,
    size: usize,
    gates: usize,
    weights: [Vec<f32>; 2],
    bias: Vec<f32>,
    peepholes: Vec<f32>,
}

impl Case {
    fn row(&self, gate: usize, unit: usize) -> usize {
        (self.direction * self.gates + gate) * self.size + unit
    }

    /// `x·W` of one unit of one gate.
    pub fn input(&self, gate: usize, unit: usize) -> f64 {
        let row = &self.weights[0][self.row(gate, unit) * self.x.len()..];
        let products = self
            .x
            .iter()
            .zip(row)
            .map(|(&x, &w)| f64::from(x) * f64::from(w));
        products.sum()
    }

    /// `h·R` of one unit of one gate.
    pub fn hidden(&self, gate: usize, unit: usize, hidden: &[f64]) -> f64 {
        let row = &self.weights[1][self.row(gate, unit) * self.size..];
        hidden
            .iter()
            .zip(row)
            .map(|(&h, &w)| h * f64::from(w))
            .sum()
    }

    /// The bias for the input, and that for the hidden state.
    pub fn bias(&self, gate: usize, unit: usize) -> [f64; 2] {
        let first = (self.direction * 2 * self.gates + gate) * self.size + unit;
        [first, first + self.gates * self.size]
            .map(|at| self.bias.get(at).map_or(0.0, |&bias| f64::from(bias)))
    }

    /// The sum of both.
    pub fn biases(&self, gate: usize, unit: usize) -> f64 {
        self.bias(gate, unit).iter().sum()
    }

    /// A peephole of this direction; 0 where there are none.
    pub fn peephole(&self, index: usize) -> f64 {
        let at = self.direction * 3 * self.size + index;
        self.peepholes
            .get(at)
            .map_or(0.0, |&weight| f64::from(weight))
    }
}

/// Compares the cell with `step`, which replaces hidden and cell state.
pub fn check(
    op: &dyn Operator,
    params: &Recurrence,
    gates: usize,
    step: impl Fn(&Case, &mut [f64], &mut [f64]),
) {
    let Recurrence {
        steps,
        batch,
        input,
        hidden: size,
        ..
    } = *params;
    let inputs: Vec<_> = data(
        &op.inputs()
            .iter()
            .map(|extent| extent.len)
            .collect::<Vec<_>>(),
        1,
    );
    let constants = data(
        &op.constants()
            .iter()
            .map(|extent| extent.len)
            .collect::<Vec<_>>(),
        9,
    );
    let has_bias = params.bias.is_some();
    let floats_of = |data: Option<&Data>| data.map_or(Vec::new(), |data| data.floats().to_vec());
    let mut case = Case {
        direction: 0,
        x: Vec::new(),
        size,
        gates,
        weights: [0, 1].map(|index| floats_of(constants.get(index))),
        bias: floats_of(constants.get(2).filter(|_| has_bias)),
        peepholes: floats_of(constants.get(2 + usize::from(has_bias))),
    };
    let directions = params.directions();
    let mut sequence = vec![0.0; steps * params.state_len()];
    let mut lasts = [vec![0.0; params.state_len()], vec![0.0; params.state_len()]];
    let x = inputs[0].floats();
    for row in 0..directions * batch {
        case.direction = row / batch;
        let [mut hidden, mut cell] = [1, 2].map(|state| match inputs.get(state) {
            Some(initial) => initial.floats()[row * size..][..size]
                .iter()
                .map(|&x| f64::from(x))
                .collect(),
            None => vec![0.0; size],
        });
        for at in 0..steps {
            let backwards = params.direction == Direction::Reverse || case.direction == 1;
            let at = if backwards { steps - 1 - at } else { at };
            case.x = x[(at * batch + row % batch) * input..][..input].to_vec();
            step(&case, &mut hidden, &mut cell);
            let first = (at * directions * batch + row) * size;
            sequence[first..first + size].copy_from_slice(&hidden);
        }
        lasts[0][row * size..][..size].copy_from_slice(&hidden);
        lasts[1][row * size..][..size].copy_from_slice(&cell);
    }
    let got = run(op, &inputs, &constants);
    close(&got[0], sequence, 1e-5);
    for (got, expected) in got[1..].iter().zip(lasts) {
        close(got, expected, 1e-5);
    }
}

fn data(lens: &[usize], seed: u64) -> Vec<Data> {
    let seeded = lens.iter().zip(seed..);
    seeded
        .map(|(&len, seed)| floats(&noise(seed, len)))
        .collect()
}

/// Compares `steps` runs of the streaming `part` with one of the `whole`.
pub fn check_stream(whole: &dyn Operator, part: &dyn Operator, steps: usize) {
    let inputs = data(&[whole.inputs()[0].len], 1);
    let lens: Vec<_> = whole.constants().iter().map(|extent| extent.len).collect();
    let constants = data(&lens, 9);
    let expected = run(whole, &inputs, &constants);
    let x = inputs[0].floats();
    let parts: Vec<_> = x.chunks(x.len() / steps).map(|x| [floats(x)]).collect();
    let parts: Vec<_> = parts.iter().map(|part| &part[..]).collect();
    let got = run_many(part, &parts, &constants);
    let sequence: Vec<_> = got
        .iter()
        .flat_map(|outputs| outputs[0].floats())
        .copied()
        .collect();
    assert_eq!(floats(&sequence), expected[0]);
    assert_eq!(got[steps - 1][1..], expected[1..]);
}
