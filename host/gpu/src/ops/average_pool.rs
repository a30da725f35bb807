//! Average pool.

use super::params::{Factor, Job, Shape, Store, Window};
use super::{Dispatch, byte};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::num::{Multiplier, Output};
use microtome_kernels::reference::average_pool::{AveragePool, Divide};
use microtome_plan::ArenaAt;

pub(super) const PROGRAM: Program = Program::by_element(
    "average_pool",
    &[include_str!("../shaders/average_pool.wgsl")],
);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    input_at: u32,
    input: Shape,
    output: Shape,
    window: Window,
    by_count: u32,
    zero: i32,
    factor: Factor,
    store: Store,
}

pub(super) fn dispatch(job: Job, pool: &AveragePool, input: ArenaAt) -> Dispatch {
    const UNUSED: Multiplier = Multiplier {
        mantissa: 0,
        shift: 0,
    };
    let (by_count, zero, factor, store) = match pool.divide {
        Divide::Count => (
            1,
            0,
            UNUSED,
            Output {
                zero: 0,
                ..pool.store
            },
        ),
        Divide::Scale { zero, factor } => (0, zero, factor, pool.store),
    };
    let params = Params {
        job,
        input_at: byte(input),
        input: pool.input.into(),
        output: pool.output.into(),
        window: pool.window.into(),
        by_count,
        zero: zero.into(),
        factor: factor.into(),
        store: store.into(),
    };
    Dispatch::of_quads(&PROGRAM, &params, &job)
}
