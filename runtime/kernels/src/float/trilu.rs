//! The upper or lower triangle of matrices; the rest is 0.

use super::index::movable;
use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one};
use crate::set::KernelSet;
use bytemuck::Pod;
use serde::{Deserialize, Serialize};

/// Parameters of a triangle of each of `batch` matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trilu {
    /// Type of the elements.
    pub element: Element,
    /// Matrices.
    pub batch: usize,
    /// Rows of each.
    pub rows: usize,
    /// Columns of each.
    pub columns: usize,
    /// Diagonals between the main one and the triangle's: positive to the right.
    pub diagonal: i32,
    /// What lies on the diagonal and to the right of it stays, else to the left.
    pub upper: bool,
}

impl Trilu {
    fn len(&self) -> usize {
        self.batch * self.rows * self.columns
    }

    fn clear<T: Pod>(&self, values: &mut [T]) {
        for (index, row) in values.chunks_exact_mut(self.columns).enumerate() {
            let first = (index % self.rows) as i64 + i64::from(self.diagonal);
            for (column, value) in (0_i64..).zip(row) {
                let stays = if self.upper {
                    column >= first
                } else {
                    column <= first
                };
                if !stays {
                    *value = T::zeroed();
                }
            }
        }
    }
}

impl Operator for Trilu {
    fn kind(&self) -> &'static str {
        "trilu"
    }

    fn check(&self) -> Result<(), Fault> {
        movable(self.element)?;
        checked_len(&[self.batch, self.rows, self.columns]).map(drop)
    }

    fn inputs(&self) -> Extents {
        one(self.element, self.len())
    }

    fn outputs(&self) -> Extents {
        one(self.element, self.len())
    }

    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        match self.element {
            Element::I8 => self.clear(args.replace_input::<i8>()),
            _ => self.clear(args.replace_input::<u32>()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{hostile, ints, run};
    use super::*;

    const TRILU: Trilu = Trilu {
        element: Element::I32,
        batch: 2,
        rows: 2,
        columns: 3,
        diagonal: 0,
        upper: true,
    };

    #[test]
    fn every_triangle() {
        let expected = [
            (0, true, [1, 2, 3, 0, 5, 6]),
            (1, true, [0, 2, 3, 0, 0, 6]),
            (0, false, [1, 0, 0, 4, 5, 0]),
            (-1, false, [0, 0, 0, 4, 0, 0]),
            (i32::MAX, true, [0; 6]),
            (i32::MAX, false, [1, 2, 3, 4, 5, 6]),
        ];
        for (diagonal, upper, expected) in expected {
            let params = Trilu {
                diagonal,
                upper,
                ..TRILU
            };
            let got = run(&params, &[ints(&[1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6])], &[]);
            assert_eq!(got[0], ints(&[expected, expected].concat()));
        }
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[TRILU]);
    }
}
