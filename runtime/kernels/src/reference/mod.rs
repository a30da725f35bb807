//! The definition of every operator: parameters, shape rule, and a slow scalar kernel.
//!
//! Nothing here is tuned; each function is written to be read beside `docs/numerics.md`. All
//! other kernels are tested against these. Where the definition is also the fastest portable form
//! (the element-wise operators, softmax), other sets inherit it.

use crate::set::KernelSet;

pub mod add;
pub mod arg_max;
pub mod average_pool;
pub mod clamp;
pub mod compare;
pub mod conv2d;
pub mod conv_transpose;
pub mod depthwise;
pub mod div;
pub mod extremum;
pub mod layer_norm;
pub mod log_softmax;
pub mod lookup;
pub mod mat_mul;
pub mod max_pool;
pub mod mul;
pub mod pad;
pub mod prelu;
pub mod recurrent;
pub mod reduce;
pub mod rescale;
pub mod resize;
pub mod softmax;

/// The reference as a kernel set: what every other set is compared with.
pub const SET: KernelSet = KernelSet {
    name: "reference",
    conv2d: conv2d::conv2d,
    depthwise: depthwise::depthwise,
    add: add::add,
    add_in_place: add::add_in_place,
    average_pool: average_pool::average_pool,
    max_pool: max_pool::max_pool,
    softmax: softmax::softmax,
    rescale: rescale::rescale,
    rescale_in_place: rescale::rescale_in_place,
    pad: pad::pad,
    clamp: clamp::clamp,
    clamp_in_place: clamp::clamp_in_place,
    lookup: lookup::lookup,
    lookup_in_place: lookup::lookup_in_place,
    mul: mul::mul,
    mul_in_place: mul::mul_in_place,
    mat_mul: mat_mul::mat_mul,
    mat_vec: recurrent::mat_vec,
    conv_transpose: conv_transpose::conv_transpose,
    #[cfg(feature = "float")]
    float: crate::set::FloatKernels {
        depthwise: crate::float::depthwise::depthwise,
        product: crate::float::tile::product,
        simd: crate::arch::simd::Simd::Baseline,
    },
};
