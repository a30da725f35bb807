//! The contract of every kernel set: on random cases, the same bits as the reference.
//!
//! Nothing here needs `std` or an allocator, so that an emulated board runs the same cases as
//! the host ([`check_all`]). On a host, [`contract!`](crate::contract) makes one test an operator.

mod broadcast;
mod convolution;
mod data;
mod elementwise;
mod matrix;
mod operate;
mod pool;
mod recurrent;
mod rng;

pub use operate::{Buffers, Case, Operand, Outcome, operate};
pub use rng::Rng;

use crate::set::KernelSet;

/// Calls a macro with the name and the parameters of every operator that has cases, after what
/// else it is to be given: `for_each_case!(each more)` is `each! { [more] name: Type; … }`.
#[macro_export]
macro_rules! for_each_case {
    ($each:ident $($more:tt)*) => {
        $each! {
            [$($more)*]
            conv2d: $crate::reference::conv2d::Conv2d;
            depthwise: $crate::reference::depthwise::Depthwise;
            add: $crate::reference::add::Add;
            average_pool: $crate::reference::average_pool::AveragePool;
            max_pool: $crate::reference::max_pool::MaxPool;
            softmax: $crate::reference::softmax::Softmax;
            rescale: $crate::reference::rescale::Rescale;
            pad: $crate::reference::pad::Pad;
            clamp: $crate::reference::clamp::Clamp;
            lookup: $crate::reference::lookup::Lookup;
            mul: $crate::reference::mul::Mul;
            div: $crate::reference::div::Div;
            extremum: $crate::reference::extremum::Extremum;
            compare: $crate::reference::compare::Compare;
            log_softmax: $crate::reference::log_softmax::LogSoftmax;
            prelu: $crate::reference::prelu::PRelu;
            mat_mul: $crate::reference::mat_mul::MatMul;
            conv_transpose: $crate::reference::conv_transpose::ConvTranspose;
            resize_linear: $crate::reference::resize::ResizeLinear;
            layer_norm: $crate::reference::layer_norm::LayerNorm;
            lstm: $crate::reference::recurrent::lstm::Lstm;
            gru: $crate::reference::recurrent::gru::Gru;
            rnn: $crate::reference::recurrent::rnn::Rnn;
            reduce: $crate::reference::reduce::Reduce;
            arg_max: $crate::reference::arg_max::ArgMax;
            copy: $crate::data::copy::Copy;
            concat: $crate::data::concat::Concat;
            gather: $crate::data::gather::Gather;
            pad_by: $crate::data::pad_by::PadBy;
            delay: $crate::data::delay::Delay;
            select: $crate::data::select::Select;
        }
    };
}

/// Makes one random case and compares `set` with the reference.
pub type Check = fn(set: &KernelSet, rng: &mut Rng, buffers: &mut Buffers);

macro_rules! checks {
    ([] $($name:ident: $operator:ty;)*) => {
        $(
            #[doc = concat!("One case of `", stringify!($name), "`.")]
            ///
            /// # Panics
            /// When a result differs; the message has the case's parameters.
            pub fn $name(set: &KernelSet, rng: &mut Rng, buffers: &mut Buffers) {
                operate::check::<$operator>(set, rng, buffers);
            }
        )*

        /// The check of every operator.
        pub const CHECKS: &[Check] = &[$($name),*];
    };
}

for_each_case!(checks);

/// Runs `check` on `cases` cases, the same ones each time.
///
/// # Panics
/// When a result differs; the message has the case's parameters.
pub fn repeat(set: &KernelSet, check: Check, cases: usize) {
    let mut buffers = Buffers::new();
    let mut rng = Rng::new(0x6d74_706c);
    for _ in 0..cases {
        check(set, &mut rng, &mut buffers);
    }
}

/// Runs `cases` cases of every operator.
///
/// # Panics
/// When a result differs; the message has the case's parameters.
pub fn check_all(set: &KernelSet, cases: usize) {
    for &check in CHECKS {
        repeat(set, check, cases);
    }
}

/// The tests that every kernel set must pass: `contract!(name, &SET)` makes a module of them.
#[macro_export]
macro_rules! contract {
    ($name:ident, $set:expr) => {
        mod $name {
            use $crate::contract;
            $crate::for_each_case!(contract @tests $set);
        }
    };
    ([@tests $set:expr] $($op:ident: $operator:ty;)*) => {
        $(
            #[test]
            fn $op() {
                let cases = if cfg!(miri) { 3 } else { 4000 };
                $crate::cases::repeat($set, $crate::cases::$op, cases);
            }
        )*
    };
}
