//! The steps of a plan: an operator with its parameters, and where its operands lie.

use core::ops::Range;
use heapless::Vec;
use microtome_kernels::operator::{Extent, Extents, OPERANDS_MAX, Operator};
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
        match (self.operands().next(), self.writes().first()) {
            (Some((OperandAt::Arena(at), extent)), Some(output)) => {
                at.span(extent.bytes()) == *output
            }
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
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "each is documented where its parameters are")]
        pub enum Op {
            $($(#[$gate])? $name($name),)*
        }

        impl Op {
            /// What the operator says of itself.
            pub fn operator(&self) -> &dyn Operator {
                match self {
                    $($(#[$gate])? Self::$name(operator) => operator,)*
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
}
