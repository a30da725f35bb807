//! The contract of every kernel set: on random cases, the same bits as the reference.
//!
//! Nothing here needs `std` or an allocator, so that an emulated board runs the same cases as
//! the host ([`check_all`]). On a host, [`contract!`](crate::contract) makes one test an operator.

mod convolution;
mod elementwise;
mod pool;
mod rng;

pub use convolution::{conv2d, depthwise};
pub use elementwise::{add, clamp, rescale, softmax};
pub use pool::{average_pool, max_pool, pad};
pub use rng::Rng;

use crate::set::KernelSet;
use core::fmt::Debug;

/// Makes one random case and compares `set` with the reference.
pub type Check = fn(set: &KernelSet, rng: &mut Rng, buffers: &mut Buffers);

/// The check of every operator.
pub const CHECKS: [Check; 9] = [
    conv2d,
    depthwise,
    add,
    average_pool,
    max_pool,
    softmax,
    rescale,
    pad,
    clamp,
];

/// Largest operand or result of a case.
const LEN_MAX: usize = 4096;
/// Most output channels of a case.
const CHANNELS_MAX: usize = 64;

/// Room for one case.
#[derive(Debug)]
pub struct Buffers {
    input: [i8; LEN_MAX],
    other: [i8; LEN_MAX],
    expected: [i8; LEN_MAX],
    got: [i8; LEN_MAX],
    bias: [i32; CHANNELS_MAX],
    mantissas: [i32; CHANNELS_MAX],
    shifts: [i8; CHANNELS_MAX],
}

impl Buffers {
    /// Empty buffers.
    pub const fn new() -> Self {
        Self {
            input: [0; LEN_MAX],
            other: [0; LEN_MAX],
            expected: [0; LEN_MAX],
            got: [0; LEN_MAX],
            bias: [0; CHANNELS_MAX],
            mantissas: [0; CHANNELS_MAX],
            shifts: [0; CHANNELS_MAX],
        }
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

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
    for check in CHECKS {
        repeat(set, check, cases);
    }
}

/// The tests that every kernel set must pass: `contract!(name, &SET)` makes a module of them.
#[macro_export]
macro_rules! contract {
    ($name:ident, $set:expr) => {
        mod $name {
            $crate::contract!(@tests $set, conv2d depthwise add average_pool max_pool softmax
                rescale pad clamp);
        }
    };
    (@tests $set:expr, $($op:ident)*) => {
        $(
            #[test]
            fn $op() {
                let cases = if cfg!(miri) { 3 } else { 4000 };
                $crate::cases::repeat($set, $crate::cases::$op, cases);
            }
        )*
    };
}

/// Panics at the first element in which `got` differs.
fn compare(set: &KernelSet, params: &dyn Debug, expected: &[i8], got: &[i8]) {
    let difference = expected.iter().zip(got).position(|(a, b)| a != b);
    if let Some(at) = difference {
        panic!(
            "{}: element {at} is {}, the reference has {}: {params:?}",
            set.name, got[at], expected[at]
        );
    }
}
