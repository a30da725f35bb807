//! Cases of the recurrent cells, and of normalisation.

use super::{Case, Operand, Rng};
use crate::reference::layer_norm::LayerNorm;
use crate::reference::recurrent::gru::Gru;
use crate::reference::recurrent::lstm::Lstm;
use crate::reference::recurrent::rnn::{Activation, Rnn};
use crate::reference::recurrent::{Direction, Recurrent, Start};
use crate::view::Strides;
use bytemuck::cast_slice_mut;

impl Recurrent {
    fn random(rng: &mut Rng) -> Self {
        let start = [Start::Zero, Start::Kept, Start::Given][rng.size(0..=2)];
        let direction = match (start, rng.size(0..=2)) {
            (Start::Kept, _) | (_, 0) => Direction::Forward,
            (_, 1) => Direction::Reverse,
            _ => Direction::Both,
        };
        Self {
            time: rng.size(1..=4),
            features: rng.size(1..=19),
            hidden: rng.size(1..=17),
            direction,
            start,
            sequence: rng.once_in(2),
        }
    }
}

/// Fills operands and constants; factors are such that gates are between their limits.
fn fill(rng: &mut Rng, operand: Operand, bytes: &mut [u8]) {
    match operand {
        Operand::Constant(1 | 5) => cast_slice_mut(bytes).fill_with(|| rng.bias()),
        Operand::Constant(2 | 6) => rng.fill_mantissas(cast_slice_mut(bytes)),
        Operand::Constant(3 | 7) => rng.fill_shifts(0..=4, cast_slice_mut(bytes)),
        _ => rng.fill(cast_slice_mut(bytes)),
    }
}

impl Case for Lstm {
    fn random(rng: &mut Rng) -> Self {
        Self {
            shape: Recurrent::random(rng),
            cell_bits: rng.size(0..=15) as u32,
        }
    }

    fn fill(&self, rng: &mut Rng, operand: Operand, bytes: &mut [u8]) {
        fill(rng, operand, bytes);
    }
}

impl Case for Gru {
    fn random(rng: &mut Rng) -> Self {
        Self {
            shape: Recurrent::random(rng),
            reset_after: rng.once_in(2),
        }
    }

    fn fill(&self, rng: &mut Rng, operand: Operand, bytes: &mut [u8]) {
        fill(rng, operand, bytes);
    }
}

impl Case for Rnn {
    fn random(rng: &mut Rng) -> Self {
        let activation = if rng.once_in(2) {
            Activation::Tanh
        } else {
            Activation::Relu {
                factor: rng.multiplier(-14..=-8),
                store: rng.output(),
            }
        };
        Self {
            shape: Recurrent::random(rng),
            activation,
        }
    }

    fn fill(&self, rng: &mut Rng, operand: Operand, bytes: &mut [u8]) {
        fill(rng, operand, bytes);
    }
}

impl Case for LayerNorm {
    fn random(rng: &mut Rng) -> Self {
        let dims = rng.dims(1..=4);
        let affine = rng.once_in(2).then(|| rng.view(dims));
        Self {
            dims,
            kept: rng.size(0..=5),
            view: rng.permutation(dims),
            rms: rng.once_in(2),
            zero: rng.int8(),
            epsilon: rng.size(0..=1 << 20) as u64,
            affine,
            factor: rng.multiplier(-17..=-12),
            store: rng.output(),
        }
    }
}

impl Rng {
    /// Any order in which axes may lie in memory.
    fn permutation(&mut self, dims: [usize; 6]) -> Strides {
        let mut order = [0, 1, 2, 3, 4, 5];
        if self.once_in(2) {
            for axis in 1..order.len() {
                order.swap(axis, self.size(0..=axis));
            }
        }
        let (mut view, mut stride) = (Strides::SCALAR, 1);
        for axis in order.into_iter().rev() {
            view.strides[axis] = stride;
            stride *= dims[axis] as isize;
        }
        view
    }
}
