//! Recurrent cells: a whole sequence a step of the plan, in one direction or both.
//!
//! A cell's gates are rows of two weight matrices, one for the input and one for the hidden
//! vector. The sum of each row and its bias is scaled by the row's own factor to Q15.16; gates are
//! [`sigmoid`](crate::fixed::sigmoid) and [`tanh`](crate::fixed::tanh) of that in Q0.15. Between
//! time steps a cell keeps its hidden vector as int8, and what must not lose small changes (an
//! LSTM's cell, a GRU's hidden vector) as int16.

use super::conv2d::ConvConstants;
use crate::operator::{
    Args, Constants, Element, Extent, Extents, Fault, checked_len, extents, require,
};
use crate::rules;
use crate::set::{KernelSet, MatVec};
use bytemuck::{cast_slice, cast_slice_mut};
use core::mem::take;
use core::ops::Range;
use serde::{Deserialize, Serialize};

pub mod gru;
pub mod lstm;
pub mod rnn;

/// What all cells have.
///
/// The first operand is `[time][features]`. With [`Start::Given`], further operands are the hidden
/// vector `[directions][hidden]` and, for an LSTM, the cell (int16) of the same shape. Outputs are
/// `[time][directions][hidden]` if `sequence` asks for it, the last hidden vector
/// `[directions][hidden]` and, for an LSTM, the last cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurrent {
    /// Time steps.
    pub time: usize,
    /// Elements of the input of a time step.
    pub features: usize,
    /// Elements of the hidden vector.
    pub hidden: usize,
    /// Where the sequence is read from.
    pub direction: Direction,
    /// What there is before the first time step.
    pub start: Start,
    /// Whether the hidden vectors of all time steps are an output.
    pub sequence: bool,
}

/// Where a sequence is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Its start.
    Forward,
    /// Its end.
    Reverse,
    /// Both: a cell forward, then one reverse, each with weights of its own.
    Both,
}

/// What there is before the first time step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// Zeros.
    Zero,
    /// What the run before has left, kept as the operator's state: streaming, forward only.
    Kept,
    /// Operands.
    Given,
}

/// What a cell keeps as int16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wide {
    /// Nothing.
    None,
    /// A vector beside the hidden one, which is an operand and an output: an LSTM's cell.
    Cell,
    /// The hidden vector itself: a GRU's.
    Hidden,
}

/// The rows of both weight matrices.
const CONSTANTS: usize = 8;

impl Recurrent {
    /// Cells.
    pub const fn directions(&self) -> usize {
        match self.direction {
            Direction::Forward | Direction::Reverse => 1,
            Direction::Both => 2,
        }
    }

    fn check(&self, gates: usize) -> Result<(), Fault> {
        let (directions, hidden) = (self.directions(), self.hidden);
        checked_len(&[self.time, self.features])?;
        checked_len(&[self.time, directions, hidden])?;
        let sums = self.features <= rules::TAPS_MAX && hidden <= rules::TAPS_MAX;
        require(sums, Fault::Size)?;
        checked_len(&[directions, gates, hidden, self.features])?;
        checked_len(&[directions, gates, hidden, hidden])?;
        // Scratch is within the limit of an operand, too.
        checked_len(&[16, gates, hidden])?;
        let streams = self.start != Start::Kept || self.direction == Direction::Forward;
        require(streams, Fault::Shape)
    }

    fn vectors(&self) -> usize {
        self.directions() * self.hidden
    }

    fn inputs(&self, wide: Wide) -> Extents {
        let input = Extent::new(Element::I8, self.time * self.features);
        let hidden = Extent::new(Element::I8, self.vectors());
        let cell = Extent::new(Element::I16, self.vectors());
        match (self.start, wide) {
            (Start::Zero | Start::Kept, _) => extents(&[input]),
            (Start::Given, Wide::Cell) => extents(&[input, hidden, cell]),
            (Start::Given, _) => extents(&[input, hidden]),
        }
    }

    fn outputs(&self, wide: Wide) -> Extents {
        let sequence = Extent::new(Element::I8, self.time * self.vectors());
        let hidden = Extent::new(Element::I8, self.vectors());
        let cell = Extent::new(Element::I16, self.vectors());
        let first = if self.sequence { 0 } else { 1 };
        let end = if wide == Wide::Cell { 3 } else { 2 };
        extents(&[sequence, hidden, cell][first..end])
    }

    fn constants(&self, gates: usize) -> Extents {
        let rows = self.directions() * gates * self.hidden;
        let mut all = ConvConstants::extents(rows * self.features, rows);
        all.extend(ConvConstants::extents(rows * self.hidden, rows));
        all
    }

    fn state(&self, wide: Wide) -> Extents {
        let hidden = Extent::new(Element::I8, self.vectors());
        let kept = Extent::new(Element::I16, self.vectors());
        match (self.start, wide) {
            (Start::Zero | Start::Given, _) => Extents::new(),
            (Start::Kept, Wide::None) => extents(&[hidden]),
            (Start::Kept, Wide::Cell) => extents(&[hidden, kept]),
            (Start::Kept, Wide::Hidden) => extents(&[kept]),
        }
    }

    const fn scratch_bytes(&self, gates: usize) -> usize {
        // Sums of both matrices in int32; one vector of int16; two of int8.
        self.hidden * (8 * gates + 4)
    }

    fn macs(&self, gates: usize) -> usize {
        let rows = self.directions() * gates * self.hidden;
        let step = rows.saturating_mul(self.features + self.hidden);
        step.saturating_mul(self.time)
    }
}

/// One matrix of one direction, and how its rows are scaled.
struct Rows<'a> {
    constants: ConvConstants<'a>,
    columns: usize,
    multiply: MatVec,
}

impl<'a> Rows<'a> {
    /// Matrix `matrix` (0: input, 1: hidden) of `rows` of all directions' rows.
    fn of(
        set: &KernelSet,
        constants: &Constants<'a>,
        matrix: usize,
        rows: Range<usize>,
        columns: usize,
    ) -> Self {
        let first = matrix * CONSTANTS / 2;
        let weights = constants.get::<i8>(first);
        Self {
            constants: ConvConstants {
                weights: &weights[rows.start * columns..rows.end * columns],
                bias: &constants.get(first + 1)[rows.clone()],
                mantissas: &constants.get(first + 2)[rows.clone()],
                shifts: &constants.get(first + 3)[rows],
            },
            columns,
            multiply: set.mat_vec,
        }
    }

    /// Writes the products of the rows `rows` with `vector` in Q15.16.
    fn multiply(&self, rows: Range<usize>, vector: &[i8], sums: &mut [i32]) {
        let constants = &self.constants;
        let weights = &constants.weights[rows.start * self.columns..rows.end * self.columns];
        (self.multiply)(weights, vector, sums);
        for (row, sum) in rows.zip(sums) {
            let biased = constants.bias[row].wrapping_add(*sum);
            *sum = constants.multiplier(row).apply(biased);
        }
    }
}

/// One direction's weights and its memory.
struct Cell<'a> {
    size: usize,
    x_rows: Rows<'a>,
    h_rows: Rows<'a>,
    /// Sums of the input's rows.
    x: &'a mut [i32],
    /// Sums of the hidden vector's rows.
    h: &'a mut [i32],
    /// What is kept as int16.
    wide: &'a mut [i16],
    /// The hidden vector.
    hidden: &'a mut [i8],
    /// Room for another one.
    other: &'a mut [i8],
}

impl Cell<'_> {
    /// The rows of gates `gates`.
    const fn rows(&self, gates: Range<usize>) -> Range<usize> {
        gates.start * self.size..gates.end * self.size
    }

    /// Multiplies all rows of the input.
    fn multiply_input(&mut self, input: &[i8]) {
        self.x_rows.multiply(0..self.x.len(), input, self.x);
    }

    /// Multiplies the hidden vector's rows of `gates`.
    fn multiply_hidden(&mut self, gates: Range<usize>) {
        let rows = self.rows(gates);
        let sums = &mut self.h[rows.clone()];
        self.h_rows.multiply(rows, self.hidden, sums);
    }

    /// Sum of both matrices for element `index` of gate `gate`, in Q15.16.
    fn gate(&self, gate: usize, index: usize) -> i32 {
        let row = gate * self.size + index;
        self.x[row].saturating_add(self.h[row])
    }
}

/// What a kind of cell is, beside its shape.
struct Kind<S> {
    gates: usize,
    wide: Wide,
    /// The hidden vector's zero point.
    zero: i8,
    /// Goes one time step on; the input's rows are multiplied.
    step: S,
}

impl<S: Fn(&mut Cell<'_>)> Kind<S> {
    fn run(&self, shape: &Recurrent, set: &KernelSet, mut args: Args<'_>) {
        let rows = self.gates * shape.hidden;
        let scratch = take(&mut args.scratch);
        let scratch = &mut scratch[..shape.scratch_bytes(self.gates)];
        let (sums, rest) = scratch.split_at_mut(8 * rows);
        let (wide, rest) = rest.split_at_mut(2 * shape.hidden);
        let (x, h) = cast_slice_mut(sums).split_at_mut(rows);
        let (hidden, other) = cast_slice_mut(rest).split_at_mut(shape.hidden);
        let constants = args.constants.clone();
        let mut cell = Cell {
            size: shape.hidden,
            x_rows: Rows::of(set, &constants, 0, 0..0, shape.features),
            h_rows: Rows::of(set, &constants, 1, 0..0, shape.hidden),
            x,
            h,
            wide: cast_slice_mut(wide),
            hidden,
            other,
        };
        for direction in 0..shape.directions() {
            let own = direction * rows..(direction + 1) * rows;
            cell.x_rows = Rows::of(set, &constants, 0, own.clone(), shape.features);
            cell.h_rows = Rows::of(set, &constants, 1, own, shape.hidden);
            self.begin(shape, &args, direction, &mut cell);
            self.go_through(shape, &mut args, direction, &mut cell);
            self.end(shape, &mut args, direction, &cell);
        }
    }

    fn begin(&self, shape: &Recurrent, args: &Args<'_>, direction: usize, cell: &mut Cell<'_>) {
        let own = direction * shape.hidden..(direction + 1) * shape.hidden;
        cell.wide.fill(0);
        cell.hidden.fill(self.zero);
        match (shape.start, self.wide) {
            (Start::Zero, _) => {}
            (Start::Given, wide) => {
                cell.hidden.copy_from_slice(&args.input(1)[own.clone()]);
                match wide {
                    Wide::None => {}
                    Wide::Cell => cell.wide.copy_from_slice(&args.input(2)[own]),
                    Wide::Hidden => {
                        for (wide, &hidden) in cell.wide.iter_mut().zip(&*cell.hidden) {
                            *wide = i16::from(hidden) << 8;
                        }
                    }
                }
            }
            (Start::Kept, Wide::Hidden) => {
                cell.wide.copy_from_slice(cast_slice(&*args.state[0]));
                narrow(cell.wide, cell.hidden);
            }
            (Start::Kept, wide) => {
                cell.hidden.copy_from_slice(cast_slice(&*args.state[0]));
                if wide == Wide::Cell {
                    cell.wide.copy_from_slice(cast_slice(&*args.state[1]));
                }
            }
        }
    }

    fn go_through(
        &self,
        shape: &Recurrent,
        args: &mut Args<'_>,
        direction: usize,
        cell: &mut Cell<'_>,
    ) {
        let reverse = shape.direction == Direction::Reverse || direction == 1;
        let input = args.input::<i8>(0);
        for step in 0..shape.time {
            let time = if reverse { shape.time - 1 - step } else { step };
            cell.multiply_input(&input[time * shape.features..][..shape.features]);
            (self.step)(cell);
            if shape.sequence {
                let at = (time * shape.directions() + direction) * shape.hidden;
                let output = &mut args.output(0)[at..at + shape.hidden];
                output.copy_from_slice(cell.hidden);
            }
        }
    }

    fn end(&self, shape: &Recurrent, args: &mut Args<'_>, direction: usize, cell: &Cell<'_>) {
        let own = direction * shape.hidden..(direction + 1) * shape.hidden;
        let first = usize::from(shape.sequence);
        args.output(first)[own.clone()].copy_from_slice(cell.hidden);
        if self.wide == Wide::Cell {
            args.output(first + 1)[own].copy_from_slice(cell.wide);
        }
        if shape.start == Start::Kept {
            let mut kept = args.state.iter_mut();
            if self.wide != Wide::Hidden
                && let Some(state) = kept.next()
            {
                state.copy_from_slice(cast_slice(cell.hidden));
            }
            for state in kept {
                state.copy_from_slice(cast_slice(cell.wide));
            }
        }
    }
}

/// Q0.15 to Q0.7, rounded half up and saturated.
fn narrow(wide: &[i16], hidden: &mut [i8]) {
    for (hidden, &wide) in hidden.iter_mut().zip(wide) {
        *hidden = to_int8(i32::from(wide), 8);
    }
}

/// `value / 2^shift`, rounded half up and saturated.
fn to_int8(value: i32, shift: u32) -> i8 {
    round(value, shift).clamp(i8::MIN.into(), i8::MAX.into()) as i8
}

/// As [`to_int8`], to int16.
fn to_int16(value: i32, shift: u32) -> i16 {
    round(value, shift).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// `value / 2^shift`, rounded half up, for a shift that is not 0 and values of at most 2^30 or so.
const fn round(value: i32, shift: u32) -> i32 {
    (value + (1 << (shift - 1))) >> shift
}

/// Writes the products of the rows `weights` with `vector` to `sums`.
pub fn mat_vec(weights: &[i8], vector: &[i8], sums: &mut [i32]) {
    for (sum, row) in sums.iter_mut().zip(weights.chunks_exact(vector.len())) {
        let products = row.iter().zip(vector);
        *sum = products.map(|(&w, &x)| i32::from(w) * i32::from(x)).sum();
    }
}

/// The parts of [`crate::operator::Operator`] that all cells share.
macro_rules! operator {
    ($kind:literal, $gates:expr, $wide:expr) => {
        fn kind(&self) -> &'static str {
            $kind
        }

        fn inputs(&self) -> Extents {
            self.shape.inputs($wide)
        }

        fn outputs(&self) -> Extents {
            self.shape.outputs($wide)
        }

        fn constants(&self) -> Extents {
            self.shape.constants($gates)
        }

        fn check_constants(&self, constants: &Constants<'_>) -> Result<(), Fault> {
            rules::factors(constants.get(2), constants.get(3))?;
            rules::factors(constants.get(6), constants.get(7))
        }

        fn state(&self) -> Extents {
            self.shape.state($wide)
        }

        fn scratch_bytes(&self) -> usize {
            self.shape.scratch_bytes($gates)
        }

        fn macs(&self) -> usize {
            self.shape.macs($gates)
        }
    };
}
use operator;
