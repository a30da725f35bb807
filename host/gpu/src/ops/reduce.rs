//! Sum, maximum and minimum over any axes.

use super::Dispatch;
use super::context::At;
use super::params::{Axes, Factor, Job, Operand, Store, Strides};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::num::{Multiplier, Output};
use microtome_kernels::reference::reduce::{Fold, Reduce};

pub(super) const PROGRAM: Program = Program::by_element(
    "reduce",
    &[
        include_str!("../shaders/strided.wgsl"),
        include_str!("../shaders/reduce.wgsl"),
    ],
);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    fold_kind: u32,
    count: u32,
    kept: Axes,
    reduced: Axes,
    view: Strides,
    zero: i32,
    factor: Factor,
    store: Store,
}

/// What a fold without scales is told.
const UNSCALED: (i8, Multiplier, Output) = (
    0,
    Multiplier {
        mantissa: 0,
        shift: 0,
    },
    Output {
        zero: 0,
        min: i8::MIN,
        max: i8::MAX,
    },
);

pub(super) fn dispatch(at: &mut At<'_>, reduce: &Reduce) -> Option<Dispatch> {
    let (fold_kind, (zero, factor, store)) = match reduce.fold {
        Fold::Sum {
            zero,
            factor,
            store,
        } => (0, (zero, factor, store)),
        Fold::Max => (1, UNSCALED),
        Fold::Min => (2, UNSCALED),
    };
    let (mut kept, mut reduced) = (reduce.dims, reduce.dims);
    kept[reduce.kept..].fill(1);
    reduced[..reduce.kept].fill(1);
    let params = Params {
        job: at.job,
        operand: at.operand(0)?,
        fold_kind,
        count: reduced.iter().product::<usize>() as u32,
        kept: kept.into(),
        reduced: reduced.into(),
        view: reduce.input.into(),
        zero: zero.into(),
        factor: factor.into(),
        store: store.into(),
    };
    Some(Dispatch::of_quads(&PROGRAM, &params, &at.job))
}
