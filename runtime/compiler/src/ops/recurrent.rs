//! Recurrent cells over a whole sequence: LSTM, GRU and the plain cell.
//!
//! Integer: weights become symmetric int8 here, with a scale of each gate's row; hidden vectors
//! have the scale 2^−7, and an LSTM's cell is fixed point.

use super::convolution::Tensors;
use super::{Edges, GraphOp, Kernel, Pulsed};
use crate::error::Refusal;
use crate::graph::{Kind, Quantization};
use crate::pulse::Stream;
use microtome_kernels::float::recurrent::{self as float, gru::GruF32, lstm::LstmF32, rnn::RnnF32};
use microtome_kernels::float::source::Source;
use microtome_kernels::float::unary::{Function, UnaryKind};
use microtome_kernels::reference::recurrent::{
    self as integer, gru::Gru, lstm::Lstm, rnn::Activation, rnn::Rnn,
};

/// Which cell, with what it has beside weights. Functions are those of each direction.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Long short-term memory.
    Lstm {
        /// The functions f, g, h.
        functions: [[Function; 3]; 2],
        /// Whether the forget gate is what the input gate leaves.
        coupled: bool,
        /// `[direction][input, output, forget][hidden]`.
        peepholes: Option<Vec<f32>>,
    },
    /// Gated recurrent unit.
    Gru {
        /// The functions f, g.
        functions: [[Function; 2]; 2],
        /// Whether the reset gate scales the product instead of the hidden vector.
        reset_after: bool,
    },
    /// One function of the sum of both products.
    Plain {
        /// The function.
        functions: [Function; 2],
    },
}

/// Where a sequence is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Its start.
    Forward,
    /// Its end.
    Reverse,
    /// Both, each with weights of its own.
    Both,
}

/// Parameters and weights of a cell, in ONNX's layouts.
///
/// Operands are the sequence `[time][batch][features]` and, with `initial`, the first hidden
/// vector and an LSTM's first cell. Results are all hidden vectors if `sequence`, the last one,
/// the last cell if `last_cell`, and of an LSTM the last cell in fixed point.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrent {
    /// Which cell.
    pub cell: Cell,
    /// Time steps.
    pub time: usize,
    /// Sequences side by side.
    pub batch: usize,
    /// Elements of a time step.
    pub features: usize,
    /// Elements of a hidden vector.
    pub hidden: usize,
    /// Where the sequence is read from.
    pub direction: Direction,
    /// `[direction][gate][hidden][features]`.
    pub weights: Vec<f32>,
    /// `[direction][gate][hidden][hidden]`.
    pub hidden_weights: Vec<f32>,
    /// `[direction][2][gate][hidden]`: for the input, then for the hidden vector.
    pub bias: Vec<f32>,
    /// Whether the first state is an operand; else it is 0.
    pub initial: bool,
    /// Whether a run goes on where the last one ended.
    pub keeps_state: bool,
    /// Limit of the magnitude of what functions are applied to.
    pub clip: Option<f32>,
    /// Whether all hidden vectors are a result.
    pub sequence: bool,
    /// Whether the last cell is a result.
    pub last_cell: bool,
}

/// What hidden vectors in int8 stand for.
const HIDDEN: Quantization = Quantization {
    scale: 1.0 / 128.0,
    zero: 0,
};
/// Fractional bits of a cell: ±16 is enough for any function of it, however long the sequence.
const CELL_BITS: u32 = 11;
/// 1 in the fixed point of gates.
const ONE: f64 = 65536.0;
/// Largest magnitude of a bias in steps of its sums.
const BIAS_MAX: f64 = (1 << 24) as f64;

impl Cell {
    /// Gates.
    pub const fn gates(&self) -> usize {
        match self {
            Self::Lstm { .. } => 4,
            Self::Gru { .. } => 3,
            Self::Plain { .. } => 1,
        }
    }

    /// Whether it is what the integer kernels compute.
    fn is_plain(&self) -> bool {
        let kinds = |functions: &[Function], kinds: &[UnaryKind]| {
            functions.iter().map(|it| it.kind).eq(kinds.iter().copied())
        };
        let (sigmoid, tanh) = (UnaryKind::Sigmoid, UnaryKind::Tanh);
        match self {
            Self::Lstm {
                functions,
                coupled,
                peepholes,
            } => {
                let usual = functions.iter().all(|it| kinds(it, &[sigmoid, tanh, tanh]));
                usual && !coupled && peepholes.is_none()
            }
            Self::Gru { functions, .. } => functions.iter().all(|it| kinds(it, &[sigmoid, tanh])),
            Self::Plain { functions } => kinds(functions, &[tanh; 2]),
        }
    }
}

impl Recurrent {
    /// Directions that have weights.
    pub const fn directions(&self) -> usize {
        match self.direction {
            Direction::Forward | Direction::Reverse => 1,
            Direction::Both => 2,
        }
    }

    /// Whether the integer kernels compute it.
    fn is_integer(&self) -> bool {
        let plain = self.cell.is_plain() && self.clip.is_none();
        plain && self.batch == 1 && !self.initial && !self.last_cell
    }

    /// Weights in int8, and the constants of their rows, of one of both matrices.
    fn rows(
        &self,
        matrix: &[f32],
        half: usize,
        input: Quantization,
    ) -> Result<Vec<Vec<u8>>, Refusal> {
        let rows = self.cell.gates() * self.hidden;
        let columns = matrix.len() / (rows * self.directions());
        let step = f64::from(input.scale);
        let (mut all, mut tensors) = (Vec::new(), Tensors::default());
        for (row, weights) in matrix.chunks_exact(columns).enumerate() {
            let at = (row / rows * 2 + half) * rows + row % rows;
            let bias = f64::from(self.bias.get(at).copied().unwrap_or(0.0));
            let scale = row_scale(weights, bias / step);
            let quantized = weights
                .iter()
                .map(|&it| (f64::from(it) / scale).round_ties_even() as i8);
            let quantized: Vec<i8> = quantized.collect();
            tensors.push(
                &quantized,
                bias / (step * scale),
                input.zero,
                step * scale * ONE,
            )?;
            all.extend(quantized);
        }
        Ok(tensors.constants(&all))
    }

    fn shape(&self) -> integer::Recurrent {
        integer::Recurrent {
            time: self.time,
            features: self.features,
            hidden: self.hidden,
            direction: match self.direction {
                Direction::Forward => integer::Direction::Forward,
                Direction::Reverse => integer::Direction::Reverse,
                Direction::Both => integer::Direction::Both,
            },
            start: if self.keeps_state {
                integer::Start::Kept
            } else {
                integer::Start::Zero
            },
            sequence: self.sequence,
        }
    }

    fn recurrence(&self) -> float::Recurrence {
        let source = |is_some, source| if is_some { source } else { Source::None };
        float::Recurrence {
            steps: self.time,
            batch: self.batch,
            input: self.features,
            hidden: self.hidden,
            direction: match self.direction {
                Direction::Forward => float::Direction::Forward,
                Direction::Reverse => float::Direction::Reverse,
                Direction::Both => float::Direction::Both,
            },
            weights: Source::Constant,
            bias: source(!self.bias.is_empty(), Source::Constant),
            initial: source(self.initial, Source::Operand),
            keeps_state: self.keeps_state,
            clip: self.clip,
            outputs: float::Outputs {
                sequence: self.sequence,
                hidden: true,
                cell: self.last_cell,
            },
        }
    }
}

/// The scale of a row of weights, whose bias is of `bias` steps of the input.
fn row_scale(weights: &[f32], bias: f64) -> f64 {
    let largest = weights
        .iter()
        .fold(0.0, |max, it| f64::from(it.abs()).max(max));
    match (largest / 127.0).max(bias.abs() / BIAS_MAX) {
        0.0 => 1.0,
        scale => scale,
    }
}

/// `kernel` without the results for which `drops` holds.
fn without(mut kernel: Kernel, edges: &Edges<'_>, drops: impl Fn(Kind) -> bool) -> Kernel {
    kernel
        .outputs
        .retain(|&edge| !drops(edges.graph.edge(edge).kind));
    kernel
}

impl GraphOp for Recurrent {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let mut constants = self.rows(&self.weights, 0, edges.input(0)?)?;
        constants.extend(self.rows(&self.hidden_weights, 1, HIDDEN)?);
        let shape = self.shape();
        let kernel = match self.cell {
            Cell::Lstm { .. } => {
                let cell_bits = CELL_BITS;
                Kernel::new(Lstm { shape, cell_bits }, edges)
            }
            Cell::Gru { reset_after, .. } => Kernel::new(Gru { shape, reset_after }, edges),
            Cell::Plain { .. } => {
                let activation = Activation::Tanh;
                Kernel::new(Rnn { shape, activation }, edges)
            }
        };
        Ok(kernel.with(constants))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let mut constants = vec![&self.weights, &self.hidden_weights];
        if !self.bias.is_empty() {
            constants.push(&self.bias);
        }
        let recurrence = self.recurrence();
        let kernel = match &self.cell {
            Cell::Lstm {
                functions,
                coupled,
                peepholes,
            } => {
                constants.extend(peepholes);
                let params = LstmF32 {
                    recurrence,
                    functions: *functions,
                    peepholes: match peepholes {
                        Some(_) => Source::Constant,
                        None => Source::None,
                    },
                    coupled: *coupled,
                };
                Kernel::new(params, edges)
            }
            Cell::Gru {
                functions,
                reset_after,
            } => {
                let params = GruF32 {
                    recurrence,
                    functions: *functions,
                    linear_before_reset: *reset_after,
                };
                Kernel::new(params, edges)
            }
            Cell::Plain { functions } => {
                let params = RnnF32 {
                    recurrence,
                    functions: *functions,
                };
                Kernel::new(params, edges)
            }
        };
        let constants = constants.iter().map(|it| bytemuck::cast_slice(it).to_vec());
        let kernel = kernel.with(constants.collect());
        Ok(without(kernel, edges, |kind| kind == Kind::Fixed))
    }

    fn has_integer(&self, _edges: &Edges<'_>) -> bool {
        self.is_integer()
    }

    /// A sequence of any length is one cell that goes on: read forwards, from nothing.
    fn pulse(&self, _edges: &Edges<'_>, _stream: &Stream) -> Pulsed {
        if self.direction != Direction::Forward || self.initial || self.batch != 1 {
            return Pulsed::Refused("a cell that streams reads forwards, from a zero state");
        }
        let op = Self {
            keeps_state: true,
            ..self.clone()
        };
        Pulsed::Stateful {
            op: op.into(),
            // The hidden vectors are frames; the last ones are not.
            frames: usize::from(self.sequence),
        }
    }

    fn fixed_quantization(&self) -> Option<Quantization> {
        self.is_integer().then_some(HIDDEN)
    }
}
