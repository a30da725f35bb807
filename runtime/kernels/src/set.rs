//! A kernel set: one function an operator.
//!
//! Sets are plain tables of functions, so that an instruction set overrides what it is faster at
//! and inherits the rest: `KernelSet { name: "…", conv2d: …, ..generic::SET }`.

#[cfg(feature = "float")]
use crate::arch::simd::Simd;
#[cfg(feature = "float")]
use crate::float::{conv2d::ConvReads, depthwise::DepthwiseF32, tile::Product};
use crate::reference::{
    add::Add,
    average_pool::AveragePool,
    clamp::Clamp,
    conv_transpose::ConvTranspose,
    conv2d::{Conv2d, ConvConstants},
    depthwise::Depthwise,
    lookup::Table,
    mat_mul::MatMul,
    max_pool::MaxPool,
    mul::Mul,
    pad::Pad,
    rescale::Rescale,
    softmax::Softmax,
};

/// A kernel that reads one operand.
pub type Unary<P> = fn(&P, &[i8], &mut [i8]);

/// A kernel that replaces its only operand by the result.
pub type UnaryInPlace<P> = fn(&P, &mut [i8]);

/// A kernel that reads two operands.
pub type Binary<P> = fn(&P, &[i8], &[i8], &mut [i8]);

/// The products of a matrix's rows, which lie one after another, with a vector; no sum overflows.
pub type MatVec = fn(&[i8], &[i8], &mut [i32]);

/// A convolution: constants, operand, scratch (at a multiple of 4 bytes, as much as the parameters
/// state, its content of no matter), output. With too little scratch it is slower, never wrong.
pub type Convolution<P> = fn(&P, &ConvConstants<'_>, &[i8], &mut [u8], &mut [i8]);

/// One kernel an operator. All sets compute the same bits; `contract!` is their common test.
#[derive(Clone, Copy, Debug)]
pub struct KernelSet {
    /// Name of the set, for logs and reports.
    pub name: &'static str,
    /// See [`crate::reference::conv2d`].
    pub conv2d: Convolution<Conv2d>,
    /// See [`crate::reference::depthwise`].
    pub depthwise: Convolution<Depthwise>,
    /// See [`crate::reference::add`].
    pub add: Binary<Add>,
    /// Replaces the first operand by the sum.
    pub add_in_place: fn(&Add, &mut [i8], &[i8]),
    /// See [`crate::reference::average_pool`].
    pub average_pool: Unary<AveragePool>,
    /// See [`crate::reference::max_pool`].
    pub max_pool: Unary<MaxPool>,
    /// See [`crate::reference::softmax`].
    pub softmax: Unary<Softmax>,
    /// See [`crate::reference::rescale`].
    pub rescale: Unary<Rescale>,
    /// As `rescale`, in place.
    pub rescale_in_place: UnaryInPlace<Rescale>,
    /// See [`crate::reference::pad`].
    pub pad: Unary<Pad>,
    /// See [`crate::reference::clamp`].
    pub clamp: Unary<Clamp>,
    /// As `clamp`, in place.
    pub clamp_in_place: UnaryInPlace<Clamp>,
    /// See [`crate::reference::lookup`].
    pub lookup: Unary<Table>,
    /// As `lookup`, in place.
    pub lookup_in_place: UnaryInPlace<Table>,
    /// See [`crate::reference::mul`].
    pub mul: Binary<Mul>,
    /// Replaces the first operand by the product.
    pub mul_in_place: fn(&Mul, &mut [i8], &[i8]),
    /// See [`crate::reference::mat_mul`].
    pub mat_mul: Binary<MatMul>,
    /// See [`crate::reference::recurrent::mat_vec`].
    pub mat_vec: MatVec,
    /// See [`crate::reference::conv_transpose`].
    pub conv_transpose: fn(&ConvTranspose, &ConvConstants<'_>, &[i8], &mut [i8]),
    /// The kernels of floats.
    #[cfg(feature = "float")]
    pub float: FloatKernels,
}

/// What instruction sets are faster at among the operators on floats. Results are within the
/// tolerances of `docs/numerics.md`.
#[cfg(feature = "float")]
#[derive(Clone, Copy, Debug)]
pub struct FloatKernels {
    /// See [`crate::float::depthwise`].
    pub depthwise: fn(&DepthwiseF32, &ConvReads<'_>, &mut [f32]),
    /// See [`crate::float::tile`].
    pub product: Product,
    /// What other kernels are compiled for.
    pub simd: Simd,
}
