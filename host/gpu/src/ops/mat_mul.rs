//! Matrix product of two activations.

use super::Dispatch;
use super::context::At;
use super::params::{Axes, Factor, Job, Operand, Store, Strides};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::mat_mul::MatMul;

pub(super) const PROGRAM: Program = Program::by_element(
    "mat_mul",
    &[
        include_str!("../shaders/strided.wgsl"),
        include_str!("../shaders/mat_mul.wgsl"),
    ],
);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    a: Operand,
    b: Operand,
    outputs: Axes,
    a_view: Strides,
    b_view: Strides,
    inner: u32,
    zeros: [i32; 2],
    factor: Factor,
    store: Store,
}

pub(super) fn dispatch(at: &mut At<'_>, product: &MatMul) -> Option<Dispatch> {
    let [_, inner, _] = product.matrix();
    let params = Params {
        job: at.job,
        a: at.operand(0)?,
        b: at.operand(1)?,
        outputs: product.output_dims().into(),
        a_view: product.a.into(),
        b_view: product.b.into(),
        inner: inner as u32,
        zeros: product.zeros.map(i32::from),
        factor: product.factor.into(),
        store: product.store.into(),
    };
    Some(Dispatch::of_quads(&PROGRAM, &params, &at.job))
}
