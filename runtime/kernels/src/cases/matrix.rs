//! Cases of matrix products, reductions and what else goes along an axis.

use super::{Case, Rng};
use crate::reference::arg_max::ArgMax;
use crate::reference::mat_mul::{COLUMN, INNER, MatMul, ROW};
use crate::reference::reduce::{Fold, Reduce};
use crate::view::{AXES, Strides};

impl Case for MatMul {
    fn random(rng: &mut Rng) -> Self {
        let mut dims = [1; AXES];
        dims[1] = rng.size(1..=2);
        dims[2] = rng.size(1..=2);
        dims[ROW] = rng.size(1..=7);
        dims[INNER] = rng.size(1..=33);
        dims[COLUMN] = rng.size(1..=41);
        let without = |axis| {
            let mut dims = dims;
            dims[axis] = 1;
            dims
        };
        let mut view = |dims: [usize; AXES], transposed: [usize; 2]| match rng.size(0..=3) {
            0 => rng.view(dims),
            1 => transpose(dims, transposed),
            _ => Strides::broadcast(dims),
        };
        let mut a = view(without(COLUMN), [ROW, INNER]);
        let mut b = view(without(ROW), [INNER, COLUMN]);
        (a.strides[COLUMN], b.strides[ROW]) = (0, 0);
        Self {
            dims,
            a,
            b,
            zeros: [rng.zero(), rng.zero()],
            factor: rng.multiplier(-12..=-6),
            store: rng.output(),
        }
    }
}

/// Strides of an operand that lies with two axes exchanged.
fn transpose(dims: [usize; AXES], [a, b]: [usize; 2]) -> Strides {
    let mut swapped = dims;
    swapped.swap(a, b);
    let mut view = Strides::row_major(swapped);
    view.strides.swap(a, b);
    view
}

impl Case for Reduce {
    fn random(rng: &mut Rng) -> Self {
        let dims = rng.dims(1..=4);
        let kept = rng.size(0..=AXES);
        let input = if rng.once_in(2) {
            Strides::row_major(dims)
        } else {
            rng.view(dims)
        };
        let fold = match rng.size(0..=3) {
            0 => Fold::Max,
            1 => Fold::Min,
            _ => Fold::Sum {
                zero: rng.int8(),
                factor: rng.multiplier(-6..=0),
                store: rng.output(),
            },
        };
        Self {
            dims,
            kept,
            input,
            fold,
        }
    }
}

impl Case for ArgMax {
    fn random(rng: &mut Rng) -> Self {
        Self {
            outer: rng.size(1..=5),
            len: rng.size(1..=300),
            inner: rng.size(1..=3),
            maximum: rng.once_in(2),
            last: rng.once_in(2),
        }
    }
}
