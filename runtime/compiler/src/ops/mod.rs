//! The operators of the graph: one file an operator, with its parameters and the kernels that
//! compute it, one line in [`Op`].
//!
//! Every number that an integer kernel uses is decided here, in f64, from the scales of the edges.
//! A model whose sums might leave int32, or whose scales fixed point cannot relate, is refused.

pub mod along;
pub mod average_pool;
pub mod binary;
pub mod cast;
pub mod compare;
pub mod concat;
pub mod conv_transpose;
pub mod convolution;
pub mod copy;
pub mod delay;
pub mod factor;
pub mod gather;
pub mod lp_pool;
pub mod lrn;
pub mod max_pool;
pub mod norm;
pub mod one_hot;
pub mod pad;
pub mod product;
pub mod recurrent;
pub mod reduce;
pub mod requantize;
pub mod resample;
pub mod scatter;
pub mod select;
pub mod softmax;
pub mod tree;
pub mod trilu;
pub mod unary;
pub mod view;

use crate::error::Refusal;
use crate::graph::{Bounds, Edge, EdgeId, Graph, Node, Quantization};
use crate::pulse::Stream;
use microtome_kernels::num::Output;
use microtome_plan::Op as PlanOp;
use std::fmt::Debug;

/// A kernel with its parameters and constants.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// The operator of the plan.
    pub op: PlanOp,
    /// The bytes of its constants, in its order.
    pub constants: Vec<Vec<u8>>,
    /// The operands that it reads, in its order.
    pub inputs: Vec<EdgeId>,
    /// The results that it writes, in its order.
    pub outputs: Vec<EdgeId>,
}

impl Kernel {
    /// The kernel `op` without constants, on the node's own operands.
    pub fn new(op: impl Into<PlanOp>, edges: &Edges<'_>) -> Self {
        Self {
            op: op.into(),
            constants: Vec::new(),
            inputs: edges.node.inputs.clone(),
            outputs: edges.node.outputs.clone(),
        }
    }

    /// The same with `constants`.
    pub fn with(self, constants: Vec<Vec<u8>>) -> Self {
        Self { constants, ..self }
    }
}

/// What an operator of the graph says of itself.
pub trait GraphOp: Debug {
    /// The kernel for edges that are all quantized.
    ///
    /// # Errors
    /// [`Refusal`] when integer arithmetic cannot keep what the operator promises.
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal>;

    /// The kernel for edges that are all float.
    ///
    /// # Errors
    /// [`Refusal`] when there is none.
    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal>;

    /// Whether there is an integer kernel for these edges, were they all quantized.
    fn has_integer(&self, _edges: &Edges<'_>) -> bool {
        true
    }

    /// Whether the integer kernel clamps its result to the bounds of its edge, so that a clamp
    /// behind it is no step of its own.
    fn takes_bounds(&self) -> bool {
        false
    }

    /// Whether the float kernel does.
    fn takes_float_bounds(&self) -> bool {
        false
    }

    /// Whether the result must have the first operand's quantization: a move, a maximum.
    fn keeps_quantization(&self) -> bool {
        false
    }

    /// How it runs on a stream, a few frames at a time.
    fn pulse(&self, _edges: &Edges<'_>, _stream: &Stream) -> Pulsed {
        Pulsed::Refused("the operator needs the whole sequence")
    }

    /// Whether operands of another quantization must be given the result's before the integer
    /// kernel reads them: elements of several operands end up side by side.
    fn aligns_quantization(&self) -> bool {
        false
    }

    /// Whether it is of real numbers alone, so that integers and truth values are refused.
    fn is_of_reals(&self) -> bool {
        false
    }

    /// The quantization of the result where it is always the same.
    fn fixed_quantization(&self) -> Option<Quantization> {
        None
    }
}

/// How an operator runs on a stream whose frames lie one after another.
#[derive(Clone, Debug, PartialEq)]
pub enum Pulsed {
    /// Each frame of the results needs the same frame of the operands alone, with as many frames
    /// of the past before them as the operands have.
    Local,
    /// `op` reads its operand's frames and all frames of the past before them, and gives frames
    /// without any past.
    Reads(
        /// The operator.
        Op,
    ),
    /// The operand must first have `past` frames before its own, `fill` before the start; then `op`
    /// reads them and gives frames without any past, or without `op`, they are the result.
    Past {
        /// Frames.
        past: usize,
        /// What they are before the stream has begun.
        fill: f64,
        /// The operator.
        op: Option<Op>,
    },
    /// `op` goes on where it ended; its first `frames` results have frames, the others do not.
    Stateful {
        /// The operator.
        op: Op,
        /// Results with frames.
        frames: usize,
    },
    /// It does not, for this reason.
    Refused(
        /// The reason.
        &'static str,
    ),
}

/// Makes [`Op`]: one variant an operator, named as its parameters are.
macro_rules! operators {
    ($($name:ident($parameters:ty),)*) => {
        /// What a node computes.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each is documented where its parameters are")]
        pub enum Op {
            $($name($parameters),)*
        }

        impl Op {
            /// What the operator says of itself.
            pub fn get(&self) -> &dyn GraphOp {
                match self {
                    $(Self::$name(op) => op,)*
                }
            }
        }

        $(impl From<$parameters> for Op {
            fn from(op: $parameters) -> Self {
                Self::$name(op)
            }
        })*
    };
}

operators! {
    ArgMax(along::ArgMax),
    AveragePool(average_pool::AveragePool),
    Binary(binary::Binary),
    Cast(cast::Cast),
    Compare(compare::Compare),
    Concat(concat::Concat),
    ConvTranspose(conv_transpose::ConvTranspose),
    Convolution(convolution::Convolution),
    Copy(copy::Copy),
    CumSum(along::CumSum),
    Delay(delay::Delay),
    Gather(gather::Gather),
    GatherElements(gather::GatherElements),
    GatherNd(gather::GatherNd),
    LpPool(lp_pool::LpPool),
    Lrn(lrn::Lrn),
    MaxPool(max_pool::MaxPool),
    Norm(norm::Norm),
    OneHot(one_hot::OneHot),
    Pad(pad::Pad),
    Predicate(cast::Predicate),
    Product(product::Product),
    Recurrent(recurrent::Recurrent),
    Reduce(reduce::Reduce),
    Requantize(requantize::Requantize),
    Resample(resample::Resample),
    ResizeLinear(resample::ResizeLinear),
    ScatterElements(scatter::ScatterElements),
    ScatterNd(scatter::ScatterNd),
    Select(select::Select),
    Softmax(softmax::Softmax),
    TopK(along::TopK),
    Trees(tree::Trees),
    Trilu(trilu::Trilu),
    Unary(unary::Unary),
}

/// The edges around one node.
#[derive(Clone, Copy, Debug)]
pub struct Edges<'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// The node.
    pub node: &'a Node,
}

impl<'a> Edges<'a> {
    /// The edge of operand `operand`.
    pub fn input_edge(&self, operand: usize) -> &'a Edge {
        self.graph.edge(self.node.inputs[operand])
    }

    /// The edge of the first result.
    pub fn output_edge(&self) -> &'a Edge {
        self.graph.edge(self.node.outputs[0])
    }

    /// The quantization of operand `operand`.
    ///
    /// # Errors
    /// When it is not of real numbers; so do the next two.
    pub fn input(&self, operand: usize) -> Result<Quantization, Refusal> {
        quantization(self.input_edge(operand))
    }

    /// The quantization of the first result.
    ///
    /// # Errors
    /// As [`Self::input`].
    pub fn output(&self) -> Result<Quantization, Refusal> {
        quantization(self.output_edge())
    }

    /// Elements of the first result.
    pub fn len(&self) -> usize {
        self.output_edge().len
    }

    /// The clamp of a float result, as a kernel takes it.
    pub fn float_bounds(&self) -> (f32, f32) {
        let Bounds { min, max } = self.output_edge().bounds;
        (min as f32, max as f32)
    }

    /// How scaled sums become the output: its zero point and the bounds of its edge.
    ///
    /// # Errors
    /// As [`Self::input`].
    pub fn store(&self) -> Result<Output, Refusal> {
        let quantization = self.output()?;
        let (min, max) = self.output_edge().bounds.quantize(quantization);
        Ok(Output {
            zero: quantization.zero,
            min,
            max,
        })
    }
}

/// The quantization of an edge of real numbers. Selection asks for integer kernels where all of
/// those have one; an edge without is of another kind.
fn quantization(edge: &Edge) -> Result<Quantization, Refusal> {
    edge.quantization.ok_or_else(|| Refusal::Type {
        value: edge.name.clone(),
        found: "integers or truth values",
    })
}
