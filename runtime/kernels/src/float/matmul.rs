//! Batched matrix product of floats, each operand strided: transposed or broadcast as it lies.
//!
//! The columns of `b` are packed, a few panels at a time, and multiplied with the rows of `a`: as they
//! lie, or collected first if their elements are apart. Where `a` has too few rows, packing would
//! cost as much as the products, and `b` is read where it lies.

use super::source::{Reads, Source};
use super::tile::{
    COLUMNS, PANELS, Panels, Product, ROWS, Row, Rows, Store, collected, dots, pack_column,
    pack_row,
};
use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, checked_len, one};
use crate::set::KernelSet;
use crate::view::{AXES, Strides, for_each};
use serde::{Deserialize, Serialize};

/// Axes of the batch.
pub const BATCH_AXES: usize = AXES - 2;

/// Parameters of a batched matrix product. The result is row major over `batch`, `rows`, `columns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatMulF32 {
    /// Sizes of the batch.
    pub batch: [usize; BATCH_AXES],
    /// Rows of `a` and of the result.
    pub rows: usize,
    /// Columns of `a`, rows of `b`.
    pub depth: usize,
    /// Columns of `b` and of the result.
    pub columns: usize,
    /// How `a` is read along the batch, its rows, its columns.
    pub a: Strides,
    /// How `b` is read along the batch, its rows, its columns.
    pub b: Strides,
    /// Elements of `a`.
    pub a_len: usize,
    /// Elements of `b`.
    pub b_len: usize,
    /// Where `a` is.
    pub a_source: Source,
    /// Where `b` is.
    pub b_source: Source,
}

impl MatMulF32 {
    fn dims(&self, [rows, columns]: [usize; 2]) -> [usize; AXES] {
        let [a, b, c, d] = self.batch;
        [a, b, c, d, rows, columns]
    }

    fn reads(&self) -> Reads {
        Reads::new(&[
            (self.a_source, Extent::new(Element::F32, self.a_len)),
            (self.b_source, Extent::new(Element::F32, self.b_len)),
        ])
    }

    /// Rows of all panels that are packed at a time.
    fn packed_rows(&self) -> usize {
        if self.rows < ROWS {
            return 0;
        }
        let panels = self.columns.div_ceil(COLUMNS).min(PANELS);
        panels.saturating_mul(self.depth)
    }

    /// Rows of `a` that are collected at a time.
    fn rows_collected(&self) -> usize {
        if self.rows < ROWS || is_dense(&self.a) {
            0
        } else {
            collected(self.depth, self.rows)
        }
    }

    fn len(&self) -> usize {
        self.batch.iter().product::<usize>() * self.rows * self.columns
    }
}

impl Operator for MatMulF32 {
    fn kind(&self) -> &'static str {
        "matmul_f32"
    }

    fn check(&self) -> Result<(), Fault> {
        self.a_source.needed()?;
        self.b_source.needed()?;
        checked_len(&[self.a_len])?;
        checked_len(&[self.b_len])?;
        checked_len(&self.dims([self.rows, self.columns]))?;
        self.a
            .check(self.dims([self.rows, self.depth]), self.a_len)?;
        self.b
            .check(self.dims([self.depth, self.columns]), self.b_len)
    }

    fn inputs(&self) -> Extents {
        self.reads().inputs()
    }

    fn outputs(&self) -> Extents {
        one(Element::F32, self.len())
    }

    fn constants(&self) -> Extents {
        self.reads().constants()
    }

    fn scratch_bytes(&self) -> usize {
        let packed = self.packed_rows().saturating_mul(size_of::<Row>());
        let rows = self.rows_collected().saturating_mul(self.depth);
        packed.saturating_add(rows.saturating_mul(size_of::<f32>()))
    }

    fn macs(&self) -> usize {
        self.len().saturating_mul(self.depth)
    }

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        let reads = self.reads();
        let (a, b) = (reads.get(&args, 0), reads.get(&args, 1));
        let scratch = bytemuck::cast_slice_mut(core::mem::take(&mut args.scratch));
        matmul(self, [a, b], set.float.product, scratch, args.output(0));
    }
}

fn matmul(
    params: &MatMulF32,
    [a, b]: [&[f32]; 2],
    product: Product,
    scratch: &mut [f32],
    output: &mut [f32],
) {
    let mut products = output.chunks_exact_mut(params.rows * params.columns);
    for_each(params.dims([1, 1]), |index| {
        let Some(out) = products.next() else { return };
        let a = Matrix::of(a, &params.a, index);
        let b = Matrix::of(b, &params.b, index);
        if params.rows >= ROWS {
            packed(params, a, b, product, scratch, out);
        } else {
            for (row, out) in out.chunks_exact_mut(params.columns).enumerate() {
                by_row(params, a, row, b, out);
            }
        }
    });
}

/// Whether the elements of a row lie side by side, and rows one behind another.
fn is_dense(view: &Strides) -> bool {
    let [.., row, column] = view.strides;
    column == 1 && row >= 0
}

/// One matrix of a batch.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    values: &'a [f32],
    first: usize,
    steps: [isize; 2],
}

impl<'a> Matrix<'a> {
    fn of(values: &'a [f32], view: &Strides, batch: [usize; AXES]) -> Self {
        let [.., row, column] = view.strides;
        Self {
            values,
            first: view.at(batch),
            steps: [row, column],
        }
    }

    fn at(&self, row: usize, column: usize) -> usize {
        let [row_step, column_step] = self.steps;
        let offset = row as isize * row_step + column as isize * column_step;
        self.first.wrapping_add_signed(offset)
    }

    fn get(&self, row: usize, column: usize) -> f32 {
        self.values[self.at(row, column)]
    }

    /// Packs `count` columns from `first` on.
    fn pack(&self, room: &mut [Row], depth: usize, [first, count]: [usize; 2]) {
        let [row_step, column_step] = self.steps;
        if column_step == 1 {
            for k in 0..depth {
                let values = &self.values[self.at(k, first)..][..count];
                pack_row(room, depth, k, values);
            }
        } else if row_step == 1 {
            for column in 0..count {
                let values = &self.values[self.at(0, first + column)..][..depth];
                pack_column(room, depth, column, 0, values);
            }
        } else {
            for column in 0..count {
                for k in 0..depth {
                    let value = self.get(k, first + column);
                    pack_column(room, depth, column, k, &[value]);
                }
            }
        }
    }

    /// `len` elements of a row whose elements lie side by side.
    fn row(&self, row: usize, len: usize) -> &'a [f32] {
        &self.values[self.at(row, 0)..][..len]
    }
}

fn packed(
    params: &MatMulF32,
    a: Matrix<'_>,
    b: Matrix<'_>,
    product: Product,
    scratch: &mut [f32],
    out: &mut [f32],
) {
    let (depth, rows) = (params.depth, params.rows);
    let (room, spare) = scratch.split_at_mut(params.packed_rows() * COLUMNS);
    let room = room.as_chunks_mut().0;
    for first in (0..params.columns).step_by(PANELS * COLUMNS) {
        let columns = (params.columns - first).min(PANELS * COLUMNS);
        b.pack(room, depth, [first, columns]);
        let panels = Panels {
            values: room,
            columns,
            bias: &[],
        };
        let mut store = |rows: &Rows<'_>, row: usize| {
            let store = Store {
                values: &mut *out,
                first: row * params.columns + first,
                step: params.columns,
                min: f32::NEG_INFINITY,
                max: f32::INFINITY,
            };
            product(rows, &panels, store);
        };
        if is_dense(&params.a) {
            let step = params.a.strides[AXES - 2].unsigned_abs();
            store(&Rows::of_one_run(a.values, a.first, rows, step, depth), 0);
            continue;
        }
        let most = params.rows_collected();
        for row in (0..rows).step_by(most) {
            let count = (rows - row).min(most);
            for (r, values) in spare.chunks_exact_mut(depth).take(count).enumerate() {
                for (k, value) in values.iter_mut().enumerate() {
                    *value = a.get(row + r, k);
                }
            }
            store(&Rows::of_one_run(spare, 0, count, depth, depth), row);
        }
    }
}

/// One row of the result.
fn by_row(params: &MatMulF32, a: Matrix<'_>, row: usize, b: Matrix<'_>, out: &mut [f32]) {
    let depth = params.depth;
    if b.steps[1] == 1 {
        out.fill(0.0);
        for k in 0..depth {
            let x = a.get(row, k);
            for (out, &y) in out.iter_mut().zip(b.row(k, params.columns)) {
                *out += x * y;
            }
        }
    } else if b.steps[0] == 1 && a.steps[1] == 1 {
        let a = a.row(row, depth);
        for (column, out) in out.iter_mut().enumerate() {
            let first = b.at(0, column);
            *out = dots(a, [&b.values[first..][..depth]])[0];
        }
    } else {
        for (column, out) in out.iter_mut().enumerate() {
            *out = (0..depth).map(|k| a.get(row, k) * b.get(k, column)).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, floats, hostile, noise, run};
    use super::*;
    extern crate std;
    use std::vec::Vec;

    /// Two batches (b has but one) of rows × 5 × columns; each operand transposed or not.
    fn params(rows: usize, columns: usize, transposed: [bool; 2]) -> MatMulF32 {
        let depth = 5;
        let view = |batch: isize, [rows, columns]: [usize; 2], transposed: bool| Strides {
            offset: 0,
            strides: if transposed {
                [0, 0, 0, batch, 1, rows as isize]
            } else {
                [0, 0, 0, batch, columns as isize, 1]
            },
        };
        MatMulF32 {
            batch: [1, 1, 1, 2],
            rows,
            depth,
            columns,
            a: view((rows * depth) as isize, [rows, depth], transposed[0]),
            b: view(0, [depth, columns], transposed[1]),
            a_len: 2 * rows * depth,
            b_len: depth * columns,
            a_source: Source::Operand,
            b_source: Source::Constant,
        }
    }

    #[test]
    fn any_layout_is_within_1e_5() {
        for (rows, columns) in [(1, 1), (1, 9), (3, 10), (4, 8), (7, 19)] {
            for transposed in [[false, false], [false, true], [true, false], [true, true]] {
                let params = params(rows, columns, transposed);
                let (a, b) = (noise(1, params.a_len), noise(2, params.b_len));
                let expected: Vec<_> = (0..2 * rows * columns)
                    .map(|index| {
                        let (batch, row) = (index / (rows * columns), index / columns % rows);
                        let products = (0..5).map(|k| {
                            let at_a = params.a.at([0, 0, 0, batch, row, k]);
                            let at_b = params.b.at([0, 0, 0, batch, k, index % columns]);
                            f64::from(a[at_a]) * f64::from(b[at_b])
                        });
                        products.sum()
                    })
                    .collect();
                let got = run(&params, &[floats(&a)], &[floats(&b)]);
                close(&got[0], expected, 1e-5);
            }
        }
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[
            params(7, 19, [true, true]),
            params(7, 19, [false, false]),
            params(1, 9, [false, true]),
            params(3, 4, [true, true]),
        ]);
    }
}
