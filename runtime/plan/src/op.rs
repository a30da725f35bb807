//! The steps of a plan: an operator with its parameters and where its operands lie.

use core::ops::Range;
use microtome_kernels::num::Shape;
use microtome_kernels::reference::{
    add::Add, average_pool::AveragePool, clamp::Clamp, conv2d::Conv2d, depthwise::Depthwise,
    max_pool::MaxPool, pad::Pad, rescale::Rescale, softmax::Softmax,
};
use serde::{Deserialize, Serialize};

/// Byte offset into the arena, a multiple of [`ArenaAt::ALIGN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ArenaAt(
    /// The offset.
    pub usize,
);

impl ArenaAt {
    /// Every offset is a multiple of it.
    pub const ALIGN: usize = 4;

    /// The bytes of `len` elements from here.
    pub const fn span(self, len: usize) -> Range<usize> {
        self.0..self.0 + len
    }
}

/// Byte offset into the constants section, a multiple of [`ConstAt::ALIGN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConstAt(
    /// The offset.
    pub usize,
);

impl ConstAt {
    /// Every offset is a multiple of it.
    pub const ALIGN: usize = 16;
}

/// One step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step<'a> {
    /// Name of the source model's node that the step ends with.
    pub name: &'a str,
    /// Scale of the output, for reports; the arithmetic does not use it.
    pub scale: f32,
    /// The operator.
    pub op: Op,
}

/// Where a convolution's constants lie; see `ConvConstants` for their layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvAt {
    /// int8 weights.
    pub weights: ConstAt,
    /// int32 biases, one an output channel.
    pub bias: ConstAt,
    /// int32 mantissas, one an output channel.
    pub mantissas: ConstAt,
    /// int8 shifts, one an output channel.
    pub shifts: ConstAt,
}

/// An operator: what it computes, what it reads and where it writes. The lengths of its operands
/// follow from its parameters.
///
/// The output may lie exactly on an operand that the operator reads element by element ([`Op::in_place`]);
/// otherwise operands and output are disjoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are the same for each operator")]
pub enum Op {
    /// Convolution, or a dense layer as a 1×1 convolution.
    Conv2d {
        params: Conv2d,
        input: ArenaAt,
        output: ArenaAt,
        constants: ConvAt,
    },
    /// Depthwise convolution.
    Depthwise {
        params: Depthwise,
        input: ArenaAt,
        output: ArenaAt,
        constants: ConvAt,
    },
    /// Addition; `output` may be `a`.
    Add {
        params: Add,
        a: ArenaAt,
        b: ArenaAt,
        output: ArenaAt,
    },
    /// Average pool.
    AveragePool {
        params: AveragePool,
        input: ArenaAt,
        output: ArenaAt,
    },
    /// Maximum pool.
    MaxPool {
        params: MaxPool,
        input: ArenaAt,
        output: ArenaAt,
    },
    /// Softmax.
    Softmax {
        params: Softmax,
        input: ArenaAt,
        output: ArenaAt,
    },
    /// Change of scale; `output` may be `input`.
    Rescale {
        params: Rescale,
        input: ArenaAt,
        output: ArenaAt,
    },
    /// Constant padding.
    Pad {
        params: Pad,
        input: ArenaAt,
        output: ArenaAt,
    },
    /// Clamp; `output` may be `input`.
    Clamp {
        params: Clamp,
        input: ArenaAt,
        output: ArenaAt,
    },
}

/// The arena spans that an operator reads: one or two.
pub type Reads = heapless::Vec<Range<usize>, 2>;

impl Op {
    /// Name of the operator, as reports print it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Conv2d { .. } => "conv2d",
            Self::Depthwise { .. } => "depthwise",
            Self::Add { .. } => "add",
            Self::AveragePool { .. } => "average_pool",
            Self::MaxPool { .. } => "max_pool",
            Self::Softmax { .. } => "softmax",
            Self::Rescale { .. } => "rescale",
            Self::Pad { .. } => "pad",
            Self::Clamp { .. } => "clamp",
        }
    }

    /// Multiply–accumulates; only convolutions have any.
    pub const fn macs(&self) -> usize {
        match self {
            Self::Conv2d { params, .. } => params.macs(),
            Self::Depthwise { params, .. } => params.macs(),
            _ => 0,
        }
    }

    /// The arena spans that the operator reads.
    pub fn reads(&self) -> Reads {
        let mut reads = Reads::new();
        let mut push = |at: ArenaAt, len| {
            // Two is the capacity, and no operator has more operands.
            let _ = reads.push(at.span(len));
        };
        match *self {
            Self::Conv2d { params, input, .. } => push(input, params.input.len()),
            Self::Depthwise { params, input, .. } => push(input, params.input.len()),
            Self::AveragePool { params, input, .. } => push(input, params.input.len()),
            Self::MaxPool { params, input, .. } => push(input, params.input.len()),
            Self::Pad { params, input, .. } => push(input, params.input.len()),
            Self::Softmax { params, input, .. } => push(input, params.rows * params.depth),
            Self::Rescale { params, input, .. } => push(input, params.len),
            Self::Clamp { params, input, .. } => push(input, params.len),
            Self::Add { params, a, b, .. } => {
                push(a, params.len);
                push(b, params.len);
            }
        }
        reads
    }

    /// The arena span that the operator writes.
    pub fn writes(&self) -> Range<usize> {
        match *self {
            Self::Conv2d { params, output, .. } => output.span(params.output.len()),
            Self::Depthwise { params, output, .. } => output.span(params.output.len()),
            Self::AveragePool { params, output, .. } => output.span(params.output.len()),
            Self::MaxPool { params, output, .. } => output.span(params.output.len()),
            Self::Pad { params, output, .. } => output.span(params.output.len()),
            Self::Softmax { params, output, .. } => output.span(params.rows * params.depth),
            Self::Rescale { params, output, .. } => output.span(params.len),
            Self::Clamp { params, output, .. } => output.span(params.len),
            Self::Add { params, output, .. } => output.span(params.len),
        }
    }

    /// Whether the output may lie exactly on the first operand.
    pub const fn in_place(&self) -> bool {
        matches!(
            self,
            Self::Add { .. } | Self::Rescale { .. } | Self::Clamp { .. }
        )
    }

    /// Shape of the output for reports; a vector where the operator knows no shape.
    pub const fn output_shape(&self) -> Shape {
        match *self {
            Self::Conv2d { params, .. } => params.output,
            Self::Depthwise { params, .. } => params.output,
            Self::AveragePool { params, .. } => params.output,
            Self::MaxPool { params, .. } => params.output,
            Self::Pad { params, .. } => params.output,
            Self::Softmax { params, .. } => Shape {
                height: params.rows,
                width: 1,
                channels: params.depth,
            },
            Self::Rescale { params, .. } => vector(params.len),
            Self::Clamp { params, .. } => vector(params.len),
            Self::Add { params, .. } => vector(params.len),
        }
    }

    /// Taps and channels of the constants: `(number of weights, output channels)`.
    pub const fn constants(&self) -> Option<(ConvAt, usize, usize)> {
        match *self {
            Self::Conv2d {
                params, constants, ..
            } => Some((constants, params.weights_len(), params.output.channels)),
            Self::Depthwise {
                params, constants, ..
            } => Some((constants, params.weights_len(), params.output.channels)),
            _ => None,
        }
    }
}

const fn vector(len: usize) -> Shape {
    Shape {
        height: 1,
        width: 1,
        channels: len,
    }
}
