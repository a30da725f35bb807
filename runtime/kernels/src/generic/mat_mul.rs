//! Matrix products: dot products where both operands lie along the inner axis, and neighbouring
//! columns side by side where the second operand lies along its columns.

use super::LANES;
use crate::reference::mat_mul::{COLUMN, INNER, MatMul, ROW};
use crate::view::{AXES, Strides, for_each};
use core::array;

/// Columns of one pass over a row of the first operand.
const BLOCK: usize = 4;

/// As [`crate::reference::mat_mul::mat_mul`].
pub fn mat_mul(params: &MatMul, a: &[i8], b: &[i8], output: &mut [i8]) {
    let [_, inner, columns] = params.matrix();
    let mut outputs = output.chunks_exact_mut(columns);
    let mut dims = params.output_dims();
    dims[COLUMN] = 1;
    for_each(dims, |index| {
        let row = Row {
            params,
            inner,
            a: Line::at(a, &params.a, index),
            b: Line::at(b, &params.b, index),
        };
        if let Some(outputs) = outputs.next() {
            row.multiply(outputs);
        }
    });
}

/// What is read along the inner axis.
struct Line<'a> {
    values: &'a [i8],
    at: usize,
    step: isize,
}

impl<'a> Line<'a> {
    fn at(values: &'a [i8], view: &Strides, index: [usize; AXES]) -> Self {
        Self {
            values,
            at: view.at(index),
            step: view.strides[INNER],
        }
    }
}

/// A row of the first operand, and the matrix of the second one, from the first column on.
struct Row<'a> {
    params: &'a MatMul,
    inner: usize,
    a: Line<'a>,
    b: Line<'a>,
}

impl Row<'_> {
    fn multiply(&self, outputs: &mut [i8]) {
        let columns = self.params.b.strides[COLUMN];
        debug_assert_eq!(self.params.b.strides[ROW], 0);
        let along_inner = (self.a.step == 1 && self.b.step == 1) || self.inner == 1;
        let mut first = 0;
        if along_inner && columns != 1 {
            first = self.blocks::<BLOCK>(first, outputs, Self::dots);
            self.blocks::<1>(first, outputs, Self::dots);
        } else {
            if columns == 1 {
                first = self.blocks::<LANES>(first, outputs, Self::lanes);
                first = self.blocks::<BLOCK>(first, outputs, Self::lanes);
            }
            self.blocks::<1>(first, outputs, Self::lanes);
        }
    }

    /// Computes the columns from `first` in whole blocks of `N`; returns the column after them.
    fn blocks<const N: usize>(
        &self,
        mut first: usize,
        outputs: &mut [i8],
        sums: impl Fn(&Self, usize) -> [i32; N],
    ) -> usize {
        // What the second zero point takes from every sum of a row.
        let zero = i32::from(self.params.zeros[1]) * self.sum();
        while let Some(outputs) = outputs.get_mut(first..first + N) {
            for (out, sum) in outputs.iter_mut().zip(sums(self, first)) {
                *out = self.params.output(sum - zero);
            }
            first += N;
        }
        first
    }

    fn sum(&self) -> i32 {
        if self.params.zeros[1] == 0 {
            return 0;
        }
        let mut at = self.a.at;
        let mut sum = 0;
        for _ in 0..self.inner {
            sum += i32::from(self.a.values[at]) - i32::from(self.params.zeros[0]);
            at = at.wrapping_add_signed(self.a.step);
        }
        sum
    }

    /// `a` less its zero point: at most 255 either way, so that int16 holds its product with any
    /// int8.
    fn above_zero(&self, a: i8) -> i16 {
        i16::from(a) - i16::from(self.params.zeros[0])
    }

    fn column(&self, column: usize) -> usize {
        let offset = (column as isize).wrapping_mul(self.params.b.strides[COLUMN]);
        self.b.at.wrapping_add_signed(offset)
    }

    fn dots<const N: usize>(&self, first: usize) -> [i32; N] {
        let a = &self.a.values[self.a.at..][..self.inner];
        let b: [&[i8]; N] = array::from_fn(|column| {
            let at = self.column(first + column);
            &self.b.values[at..][..self.inner]
        });
        let mut sums = [0; N];
        for (index, &a) in a.iter().enumerate() {
            let a = self.above_zero(a);
            for (sum, b) in sums.iter_mut().zip(&b) {
                *sum += i32::from(a * i16::from(b[index]));
            }
        }
        sums
    }

    fn lanes<const N: usize>(&self, first: usize) -> [i32; N] {
        let (mut a, mut b) = (self.a.at, self.column(first));
        let mut sums = [0; N];
        for _ in 0..self.inner {
            let value = self.above_zero(self.a.values[a]);
            for (sum, &b) in sums.iter_mut().zip(&self.b.values[b..b + N]) {
                *sum += i32::from(value * i16::from(b));
            }
            a = a.wrapping_add_signed(self.a.step);
            b = b.wrapping_add_signed(self.b.step);
        }
        sums
    }
}
