//! Quotient.

use super::Pair;
use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Factor, Job, Store};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::num::Multiplier;
use microtome_kernels::reference::div::Div;

pub(in crate::ops) const PROGRAM: Program = super::program!("div", "../../shaders/pair/div.wgsl");

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    pair: Pair,
    zeros: [i32; 2],
    factors_at: u32,
    store: Store,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, div: &Div) -> Option<Dispatch> {
    let constants = at.plan.step_constants(at.step);
    let factors = constants.get::<i32>(0).iter().zip(constants.get::<i8>(1));
    let factors = factors.map(|(&mantissa, &shift)| {
        let [mantissa, right] = Factor::from(Multiplier { mantissa, shift }).words();
        [mantissa, right, 0, 0]
    });
    let params = Params {
        job: at.job,
        pair: Pair::of(at, &div.broadcast)?,
        zeros: div.zeros.map(i32::from),
        factors_at: at.packed.extend(factors),
        store: div.store.into(),
    };
    Some(Dispatch::of_quads(&PROGRAM, &params, &at.job))
}
