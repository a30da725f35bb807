//! Cases of the element-wise operators, also in place, and of softmax.

use super::{Case, Rng};
use crate::reference::add::Add;
use crate::reference::clamp::Clamp;
use crate::reference::log_softmax::LogSoftmax;
use crate::reference::rescale::Rescale;
use crate::reference::softmax::Softmax;

impl Case for Add {
    fn random(rng: &mut Rng) -> Self {
        Self {
            broadcast: rng.broadcast(),
            subtract: rng.once_in(2),
            zeros: [rng.int8(), rng.int8()],
            factors: [rng.multiplier(-2..=0), rng.multiplier(-2..=0)],
            factor: rng.multiplier(-21..=-17),
            store: rng.output(),
        }
    }
}

impl Case for Rescale {
    fn random(rng: &mut Rng) -> Self {
        Self {
            len: rng.size(1..=99),
            zero: rng.int8(),
            factor: rng.multiplier(-2..=2),
            store: rng.output(),
        }
    }
}

impl Case for Clamp {
    fn random(rng: &mut Rng) -> Self {
        let [min, max] = rng.clamp();
        let len = rng.size(1..=99);
        Self { len, min, max }
    }
}

/// Input scales from 2^−10 to 2^3, and at times parameters that no compiler writes.
impl Case for Softmax {
    fn random(rng: &mut Rng) -> Self {
        let shift = if rng.once_in(8) {
            rng.size(0..=30)
        } else {
            rng.size(17..=29)
        };
        Self {
            rows: rng.size(1..=4),
            depth: rng.size(1..=99),
            mantissa: rng.multiplier(0..=0).mantissa.max(1 << 30),
            shift: shift as u8,
            diff_min: -(rng.size(0..=255) as i32),
        }
    }
}

impl Case for LogSoftmax {
    fn random(rng: &mut Rng) -> Self {
        Self {
            softmax: Softmax::random(rng),
            argument: rng.multiplier(9..=17),
            factor: rng.multiplier(-14..=-10),
            store: rng.output(),
        }
    }
}
