//! Operators on two int8 operands over one space.

pub(super) mod add;
pub(super) mod compare;
pub(super) mod div;
pub(super) mod extremum;
pub(super) mod mul;

use super::context::At;
use super::params::{Axes, Operand, Strides};
use bytemuck::NoUninit;
use microtome_kernels::view::Broadcast;

/// `Pair` in `pair.wgsl`.
#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Pair {
    a: Operand,
    b: Operand,
    space: Axes,
    a_view: Strides,
    b_view: Strides,
}

impl Pair {
    fn of(at: &mut At<'_>, broadcast: &Broadcast) -> Option<Self> {
        Some(Self {
            a: at.operand(0)?,
            b: at.operand(1)?,
            space: broadcast.dims.into(),
            a_view: broadcast.a.into(),
            b_view: broadcast.b.into(),
        })
    }
}

/// The program whose part defines `combine`.
macro_rules! program {
    ($name:literal, $part:literal) => {
        $crate::program::Program::by_element(
            $name,
            &[
                include_str!("../../shaders/strided.wgsl"),
                include_str!("../../shaders/pair/pair.wgsl"),
                include_str!($part),
            ],
        )
    };
}
use program;
