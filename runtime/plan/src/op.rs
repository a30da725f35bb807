//! The steps of a plan: an operator with its parameters, and where its operands lie.

use crate::error::Fault;
use crate::linked::{self, Absent, is_linked};
use core::ops::Range;
use heapless::Vec;
use microtome_kernels::data::{
    concat::Concat, copy::Copy, delay::Delay, gather::Gather, pad_by::PadBy, select::Select,
};
#[cfg(feature = "float")]
use microtome_kernels::float::{
    arg::ArgF32,
    binary::Binary,
    binary_int::BinaryInt,
    cast::Cast,
    channel_norm::ChannelNorm,
    compare::Compare as CompareF32,
    conv_transpose::ConvTransposeF32,
    conv2d::ConvF32,
    cum_sum::CumSum,
    depthwise::DepthwiseF32,
    gather::{GatherElements, GatherNd},
    logic::Logic,
    lrn::Lrn,
    matmul::MatMulF32,
    norm::NormF32,
    one_hot::OneHot,
    pool::PoolF32,
    predicate::Predicate,
    quantize::{Dequantize, Quantize},
    recurrent::{gru::GruF32, lstm::LstmF32, rnn::RnnF32},
    reduce::ReduceF32,
    resample::ResampleF32,
    scatter::{ScatterElements, ScatterNd},
    softmax::SoftmaxF32,
    top_k::TopK,
    tree_ensemble::TreeEnsemble,
    trilu::Trilu,
    unary::Unary,
};
use microtome_kernels::operator::{Extent, Extents, OPERANDS_MAX, Operator};
use microtome_kernels::reference::{
    add::Add,
    arg_max::ArgMax,
    average_pool::AveragePool,
    clamp::Clamp,
    compare::Compare,
    conv_transpose::ConvTranspose,
    conv2d::Conv2d,
    depthwise::Depthwise,
    div::Div,
    extremum::Extremum,
    layer_norm::LayerNorm,
    log_softmax::LogSoftmax,
    lookup::Lookup,
    mat_mul::MatMul,
    max_pool::MaxPool,
    mul::Mul,
    pad::Pad,
    prelu::PRelu,
    recurrent::{gru::Gru, lstm::Lstm, rnn::Rnn},
    reduce::Reduce,
    rescale::Rescale,
    resize::ResizeLinear,
    softmax::Softmax,
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

    /// The `len` bytes from here.
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

/// Where an operand lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperandAt {
    /// In the arena: an activation.
    Arena(ArenaAt),
    /// Among the constants.
    Constant(ConstAt),
}

/// Most results of a step.
pub const OUTPUTS_MAX: usize = 4;
/// Most pieces of state that a step keeps.
pub const STATE_MAX: usize = 4;

/// Spans of the arena.
pub type Spans = Vec<Range<usize>, OPERANDS_MAX>;

/// One step of a run. How long each operand is follows from the operator.
///
/// The first output may lie exactly on the first input where [`Operator::in_place`] says so;
/// otherwise all that a step writes is disjoint from all that it reads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step<'a> {
    /// Name of the source model's node that the step ends with.
    pub name: &'a str,
    /// Scale of the first output, for reports; the arithmetic does not use it.
    pub scale: f32,
    /// The operator.
    pub op: Op,
    /// Its operands.
    pub inputs: Vec<OperandAt, OPERANDS_MAX>,
    /// Its results.
    pub outputs: Vec<ArenaAt, OUTPUTS_MAX>,
    /// What it keeps from run to run.
    pub state: Vec<ArenaAt, STATE_MAX>,
    /// Its scratch; of no length for most operators.
    pub scratch: ArenaAt,
    /// Its constants.
    pub constants: Vec<ConstAt, OPERANDS_MAX>,
}

impl<'a> Step<'a> {
    /// A step that reads and writes nothing, to be read into.
    pub const fn empty() -> Self {
        Self {
            name: "",
            scale: 1.0,
            op: Op::Clamp(Clamp {
                len: 0,
                min: i8::MIN,
                max: i8::MAX,
            }),
            inputs: Vec::new(),
            outputs: Vec::new(),
            state: Vec::new(),
            scratch: ArenaAt(0),
            constants: Vec::new(),
        }
    }

    /// Becomes the step that `bytes` begin with, as its derived encoding has it, and leaves what
    /// follows. A step is large, and is not moved as a whole.
    pub(crate) fn read(&mut self, bytes: &mut &'a [u8]) -> Result<(), Fault> {
        self.name = value(bytes)?;
        self.scale = value(bytes)?;
        self.op.read(bytes)?;
        list(&mut self.inputs, bytes)?;
        list(&mut self.outputs, bytes)?;
        list(&mut self.state, bytes)?;
        self.scratch = value(bytes)?;
        list(&mut self.constants, bytes)
    }
}

/// Takes a value off the beginning of `bytes`.
fn value<'a, T: Deserialize<'a>>(bytes: &mut &'a [u8]) -> Result<T, Fault> {
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(|_| Fault::Encoding)?;
    *bytes = rest;
    Ok(value)
}

/// Takes a list off the beginning of `bytes`.
fn list<'a, T: Deserialize<'a>, const N: usize>(
    list: &mut Vec<T, N>,
    bytes: &mut &'a [u8],
) -> Result<(), Fault> {
    list.clear();
    for _ in 0..value::<usize>(bytes)? {
        list.push(value(bytes)?).map_err(|_| Fault::Encoding)?;
    }
    Ok(())
}

impl Step<'_> {
    /// Each operand, and what it is.
    pub fn operands(&self) -> impl Iterator<Item = (OperandAt, Extent)> {
        let extents = self.op.operator().inputs();
        self.inputs.clone().into_iter().zip(extents)
    }

    /// The arena spans of the operands that are no constants.
    pub fn reads(&self) -> Spans {
        let span = |(at, extent): (OperandAt, Extent)| match at {
            OperandAt::Arena(at) => Some(at.span(extent.bytes())),
            OperandAt::Constant(_) => None,
        };
        self.operands().filter_map(span).collect()
    }

    /// The arena spans of the results.
    pub fn writes(&self) -> Spans {
        spans(&self.outputs, &self.op.operator().outputs())
    }

    /// The arena span of the first result.
    pub fn output(&self) -> Range<usize> {
        self.writes().first().cloned().unwrap_or(0..0)
    }

    /// The arena spans of what is kept from run to run.
    pub fn kept(&self) -> Spans {
        spans(&self.state, &self.op.operator().state())
    }

    /// The arena span of the scratch.
    pub fn scratch(&self) -> Range<usize> {
        self.scratch.span(self.op.operator().scratch_bytes())
    }

    /// Whether the first output lies on the first input.
    pub fn is_in_place(&self) -> bool {
        match (self.inputs.first(), self.outputs.first()) {
            // Where an operator may work in place, both are of one length; elsewhere they are
            // apart.
            (Some(OperandAt::Arena(input)), Some(output)) => input == output,
            _ => false,
        }
    }

    /// What each constant is, and where.
    pub fn constants(&self) -> impl Iterator<Item = (ConstAt, Extent)> {
        let extents = self.op.operator().constants();
        self.constants.clone().into_iter().zip(extents)
    }
}

fn spans(places: &[ArenaAt], extents: &Extents) -> Spans {
    let spans = places.iter().zip(extents);
    spans.map(|(at, extent)| at.span(extent.bytes())).collect()
}

/// Makes [`Op`]: one variant an operator, named as its parameters are.
macro_rules! operators {
    ($($(#[$gate:meta])? $name:ident,)*) => {
        /// An operator with its parameters. A step's encoding has the variant's number: new
        /// operators are added at the end of their list.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[allow(missing_docs, reason = "each is documented where its parameters are")]
        pub enum Op {
            $($(#[$gate])? $name($name),)*
        }

        impl Op {
            /// The name of every operator, in the order of their numbers.
            pub const NAMES: &[&str] = &[
                $($(#[$gate])? stringify!($name),)*
            ];

            /// The names of those that compute in float, which boards leave out.
            pub const NAMES_FLOAT: &[&str] = &[
                $($(#[$gate] stringify!($name),)?)*
            ];

            /// Its name among [`Self::NAMES`].
            pub const fn name(&self) -> &'static str {
                match self {
                    $($(#[$gate])? Self::$name(_) => stringify!($name),)*
                }
            }

            /// Becomes the operator that `bytes` begin with, as its derived encoding has it: its
            /// number, then its parameters. The others are not made room for, nor moved.
            fn read(&mut self, bytes: &mut &[u8]) -> Result<(), Fault> {
                let number = value::<u32>(bytes)?;
                let mut index = 0;
                $($(#[$gate])? {
                    if number == index {
                        if const { !is_linked(stringify!($name)) } {
                            return Err(Fault::Absent);
                        }
                        *self = Self::$name(value(bytes)?);
                        return Ok(());
                    }
                    index += 1;
                })*
                let _ = index;
                Err(Fault::Encoding)
            }

            /// What the operator says of itself. The refusal to be valid, of one that is not
            /// linked.
            pub fn operator(&self) -> &dyn Operator {
                match self {
                    $($(#[$gate])?
                    Self::$name(operator) if const { is_linked(stringify!($name)) } => operator,)*
                    #[allow(unreachable_patterns, reason = "where all are linked")]
                    _ => &Absent,
                }
            }
        }

        $($(#[$gate])?
        impl From<$name> for Op {
            fn from(operator: $name) -> Self {
                Self::$name(operator)
            }
        })*
    };
}

const _: () = linked::check(Op::NAMES);

operators! {
    Conv2d,
    Depthwise,
    Add,
    AveragePool,
    MaxPool,
    Softmax,
    Rescale,
    Pad,
    Clamp,
    Lookup,
    Mul,
    Div,
    Extremum,
    Compare,
    PRelu,
    MatMul,
    ConvTranspose,
    Reduce,
    ArgMax,
    ResizeLinear,
    LayerNorm,
    LogSoftmax,
    Lstm,
    Gru,
    Rnn,
    Copy,
    Concat,
    Gather,
    PadBy,
    Select,
    Delay,
    #[cfg(feature = "float")]
    Quantize,
    #[cfg(feature = "float")]
    Dequantize,
    #[cfg(feature = "float")]
    Cast,
    #[cfg(feature = "float")]
    Unary,
    #[cfg(feature = "float")]
    Predicate,
    #[cfg(feature = "float")]
    Binary,
    #[cfg(feature = "float")]
    BinaryInt,
    #[cfg(feature = "float")]
    CompareF32,
    #[cfg(feature = "float")]
    Logic,
    #[cfg(feature = "float")]
    ConvF32,
    #[cfg(feature = "float")]
    DepthwiseF32,
    #[cfg(feature = "float")]
    ConvTransposeF32,
    #[cfg(feature = "float")]
    MatMulF32,
    #[cfg(feature = "float")]
    PoolF32,
    #[cfg(feature = "float")]
    SoftmaxF32,
    #[cfg(feature = "float")]
    ReduceF32,
    #[cfg(feature = "float")]
    ArgF32,
    #[cfg(feature = "float")]
    TopK,
    #[cfg(feature = "float")]
    NormF32,
    #[cfg(feature = "float")]
    ChannelNorm,
    #[cfg(feature = "float")]
    Lrn,
    #[cfg(feature = "float")]
    ResampleF32,
    #[cfg(feature = "float")]
    LstmF32,
    #[cfg(feature = "float")]
    GruF32,
    #[cfg(feature = "float")]
    RnnF32,
    #[cfg(feature = "float")]
    CumSum,
    #[cfg(feature = "float")]
    ScatterElements,
    #[cfg(feature = "float")]
    ScatterNd,
    #[cfg(feature = "float")]
    GatherElements,
    #[cfg(feature = "float")]
    GatherNd,
    #[cfg(feature = "float")]
    OneHot,
    #[cfg(feature = "float")]
    Trilu,
    #[cfg(feature = "float")]
    TreeEnsemble,
}
