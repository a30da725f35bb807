//! Changes of type.

use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Job, Operand};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::float::cast::Cast;
use microtome_plan::Element;

const MATH: &str = include_str!("../../shaders/math.wgsl");
const CAST: &str = include_str!("../../shaders/float/cast.wgsl");

pub(in crate::ops) const TO_TRUTH: Program = Program::by_element(
    "cast_to_truth",
    &[
        MATH,
        CAST,
        include_str!("../../shaders/float/cast_to_truth.wgsl"),
    ],
);
pub(in crate::ops) const TO_I32: Program = Program::by_word(
    "cast_to_i32",
    &[
        MATH,
        CAST,
        include_str!("../../shaders/float/cast_to_i32.wgsl"),
    ],
);
pub(in crate::ops) const TO_F32: Program = Program::by_word(
    "cast_to_f32",
    &[
        MATH,
        CAST,
        include_str!("../../shaders/float/cast_to_f32.wgsl"),
    ],
);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    from_kind: u32,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, cast: &Cast) -> Option<Dispatch> {
    let from_kind = match cast.from {
        Element::I8 => 0,
        Element::I32 => 1,
        Element::F32 => 2,
        Element::I16 => return None,
    };
    let params = Params {
        job: at.job,
        operand: at.operand(0)?,
        from_kind,
    };
    let job = &params.job;
    Some(match cast.to {
        // Between truth values, whatever byte it is stays.
        Element::I8 if cast.from == Element::I8 => return None,
        Element::I8 => Dispatch::of_quads(&TO_TRUTH, &params, job),
        Element::I32 => Dispatch::of_elements(&TO_I32, &params, job),
        Element::F32 => Dispatch::of_elements(&TO_F32, &params, job),
        Element::I16 => return None,
    })
}
