//! Pools.

use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Job, Shape, Window};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::float::pool::{Indices, PoolF32, PoolKind};

pub(in crate::ops) const PROGRAM: Program =
    Program::by_float("pool_f32", &[include_str!("../../shaders/float/pool.wgsl")]);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    input_at: u32,
    input: Shape,
    output: Shape,
    window: Window,
    kind: u32,
    counts_padding: u32,
    after: [u32; 2],
    power: f32,
}

/// The dispatch; `None` where the places of maxima are wanted.
pub(in crate::ops) fn dispatch(at: &mut At<'_>, pool: &PoolF32) -> Option<Dispatch> {
    let (kind, padding, power) = match pool.kind {
        PoolKind::Max {
            indices: Indices::None,
        } => (0, None, 1.0),
        PoolKind::Max { .. } => return None,
        PoolKind::Average { padding } => (1, padding, 1.0),
        PoolKind::Lp { p } => (2, None, p),
    };
    let params = Params {
        job: at.chained(None),
        input_at: at.arena(0)?.0 as u32,
        input: pool.input.into(),
        output: pool.output.into(),
        window: pool.window.into(),
        kind,
        counts_padding: u32::from(padding.is_some()),
        after: padding.unwrap_or_default().map(|after| after as u32),
        power,
    };
    Some(Dispatch::of_elements(&PROGRAM, &params, &params.job))
}
