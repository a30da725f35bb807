//! The operators of the graph, with typed parameters.
//!
//! Shapes and windows are the kernels' own. Scales are not here: they are the edges'.

use microtome_kernels::num::{Shape, Window};

/// What a node computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Convolution, dense, grouped or depthwise; a dense layer is one with a 1×1 window.
    Convolution(Convolution),
    /// Sum of two activations of one shape.
    Add,
    /// Mean of each window.
    AveragePool(AveragePool),
    /// Maximum of each window; keeps the quantization.
    MaxPool(MaxPool),
    /// Softmax over the innermost axis; its output is [`super::Quantization::PROBABILITY`].
    Softmax(Softmax),
    /// Constant padding; keeps the quantization.
    Pad(Pad),
    /// The same real numbers, clamped to the output's bounds, at the output's scale.
    Requantize,
}

impl Op {
    /// Elements that the operand and the result must have; `None` where any length is right and
    /// both are the same.
    pub fn lens(&self) -> Option<(usize, usize)> {
        let lens = |input: Shape, output: Shape| Some((input.len(), output.len()));
        match self {
            Self::Convolution(it) => lens(it.input, it.output),
            Self::AveragePool(it) => lens(it.input, it.output),
            Self::MaxPool(it) => lens(it.input, it.output),
            Self::Pad(it) => lens(it.input, it.output),
            Self::Softmax(it) => Some((it.rows * it.depth, it.rows * it.depth)),
            Self::Add | Self::Requantize => None,
        }
    }

    /// Operands.
    pub const fn arity(&self) -> usize {
        match self {
            Self::Add => 2,
            _ => 1,
        }
    }
}

/// Parameters and constants of a convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Convolution {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// The window.
    pub window: Window,
    /// Groups.
    pub groups: usize,
    /// `[output channel][kernel row][kernel column][input channel of the group]`.
    pub weights: Vec<i8>,
    /// Scale of the weights of each output channel.
    pub scales: Vec<f32>,
    /// Bias of each output channel, as a real number.
    pub bias: Vec<f64>,
}

impl Convolution {
    /// Weights of one output channel.
    pub const fn taps(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1] * (self.input.channels / self.groups)
    }

    /// Whether every output channel reads one input channel, of several.
    pub const fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.input.channels
    }
}

/// Parameters of an average pool.
#[derive(Clone, Debug, PartialEq)]
pub struct AveragePool {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// The window.
    pub window: Window,
    /// Whether padding counts, as zeros.
    pub counts_padding: bool,
    /// Whether it is a mean over axes, which is rounded as any change of scale is, even where the
    /// scale stays.
    pub is_mean: bool,
}

/// Parameters of a maximum pool.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPool {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// The window.
    pub window: Window,
}

/// Parameters of a softmax.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax {
    /// Vectors that are normalised.
    pub rows: usize,
    /// Elements of each.
    pub depth: usize,
}

/// Parameters of a pad.
#[derive(Clone, Debug, PartialEq)]
pub struct Pad {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// Rows above, columns to the left and channels before the input.
    pub before: [usize; 3],
    /// The real value of the padding.
    pub value: f64,
}
