//! Cases of the element-wise operators, also in place, and of softmax.

use super::pool::check;
use super::{Buffers, Rng, compare};
use crate::reference;
use crate::reference::add::Add;
use crate::reference::clamp::Clamp;
use crate::reference::rescale::Rescale;
use crate::reference::softmax::Softmax;
use crate::set::KernelSet;

/// One case of an addition, apart and in place.
pub fn add(set: &KernelSet, rng: &mut Rng, buffers: &mut Buffers) {
    let params = Add {
        len: rng.size(1..=99),
        zeros: [rng.int8(), rng.int8()],
        factors: [rng.multiplier(-2..=0), rng.multiplier(-2..=0)],
        factor: rng.multiplier(-21..=-17),
        store: rng.output(),
    };
    let [a, b] = [&mut buffers.input, &mut buffers.other].map(|operand| &mut operand[..params.len]);
    let expected = &mut buffers.expected[..params.len];
    let got = &mut buffers.got[..params.len];
    rng.fill(a);
    rng.fill(b);
    rng.fill(got);
    reference::add::add(&params, a, b, expected);
    (set.add)(&params, a, b, got);
    compare(set, &params, expected, got);
    (set.add_in_place)(&params, a, b);
    compare(set, &params, expected, a);
}

/// One case of a change of scale, apart and in place.
pub fn rescale(set: &KernelSet, rng: &mut Rng, buffers: &mut Buffers) {
    let params = Rescale {
        len: rng.size(1..=99),
        zero: rng.int8(),
        factor: rng.multiplier(-2..=2),
        store: rng.output(),
    };
    let kernels = [set.rescale, reference::SET.rescale];
    check(set, kernels, &params, [params.len; 2], rng, buffers);
    let values = &mut buffers.input[..params.len];
    (set.rescale_in_place)(&params, values);
    compare(set, &params, &buffers.expected, values);
}

/// One case of a clamp, apart and in place.
pub fn clamp(set: &KernelSet, rng: &mut Rng, buffers: &mut Buffers) {
    let [min, max] = rng.clamp();
    let len = rng.size(1..=99);
    let params = Clamp { len, min, max };
    let kernels = [set.clamp, reference::SET.clamp];
    check(set, kernels, &params, [len; 2], rng, buffers);
    let values = &mut buffers.input[..len];
    (set.clamp_in_place)(&params, values);
    compare(set, &params, &buffers.expected, values);
}

/// One case of softmax: input scales from 2^−10 to 2^3, and at times parameters that no compiler
/// writes.
pub fn softmax(set: &KernelSet, rng: &mut Rng, buffers: &mut Buffers) {
    let shift = if rng.once_in(8) {
        rng.size(0..=30)
    } else {
        rng.size(17..=29)
    };
    let params = Softmax {
        rows: rng.size(1..=4),
        depth: rng.size(1..=99),
        mantissa: rng.multiplier(0..=0).mantissa.max(1 << 30),
        shift: shift as u8,
        diff_min: -(rng.size(0..=255) as i32),
    };
    let kernels = [set.softmax, reference::SET.softmax];
    let lens = [params.rows * params.depth; 2];
    check(set, kernels, &params, lens, rng, buffers);
}
