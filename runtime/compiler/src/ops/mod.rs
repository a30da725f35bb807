//! The operators of the graph: one file an operator, with its parameters and the kernels that
//! compute it, one line in [`Op`].
//!
//! Every number that an integer kernel uses is decided here, in f64, from the scales of the edges.
//! A model whose sums might leave int32, or whose scales fixed point cannot relate, is refused.

pub mod average_pool;
pub mod binary;
pub mod cast;
pub mod compare;
pub mod convolution;
pub mod copy;
pub mod factor;
pub mod max_pool;
pub mod pad;
pub mod product;
pub mod requantize;
pub mod select;
pub mod softmax;
pub mod unary;
pub mod view;

use crate::error::Refusal;
use crate::graph::{Bounds, Edge, EdgeId, Graph, Node, Quantization};
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
}

impl Kernel {
    /// The kernel `op` without constants, on the node's own operands.
    pub fn new(op: impl Into<PlanOp>, edges: &Edges<'_>) -> Self {
        Self {
            op: op.into(),
            constants: Vec::new(),
            inputs: edges.node.inputs.clone(),
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

    /// Whether it is of real numbers alone, so that integers and truth values are refused.
    fn is_of_reals(&self) -> bool {
        false
    }

    /// The quantization of the result where it is always the same.
    fn fixed_quantization(&self) -> Option<Quantization> {
        None
    }
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
    AveragePool(average_pool::AveragePool),
    Binary(binary::Binary),
    Cast(cast::Cast),
    Compare(compare::Compare),
    Convolution(convolution::Convolution),
    Copy(copy::Copy),
    MaxPool(max_pool::MaxPool),
    Pad(pad::Pad),
    Predicate(cast::Predicate),
    Product(product::Product),
    Requantize(requantize::Requantize),
    Select(select::Select),
    Softmax(softmax::Softmax),
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

    /// The quantization of operand `operand`, which is quantized.
    pub fn input(&self, operand: usize) -> Quantization {
        quantization(self.input_edge(operand))
    }

    /// The quantization of the first result, which is quantized.
    pub fn output(&self) -> Quantization {
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
    pub fn store(&self) -> Output {
        let quantization = self.output();
        let (min, max) = self.output_edge().bounds.quantize(quantization);
        Output {
            zero: quantization.zero,
            min,
            max,
        }
    }
}

fn quantization(edge: &Edge) -> Quantization {
    edge.quantization
        .expect("selection asks for integer kernels where every edge is quantized")
}
