//! Products of rows with packed weights, to which convolutions and matrix products come down, and
//! dot products where there are too few rows for packing.

use super::unary::clip;

/// Columns of a panel.
pub const COLUMNS: usize = 16;
/// Panels that are packed at a time, where weights do not lie so already.
pub const PANELS: usize = 4;
/// Rows below which packing costs as much as the products.
pub const ROWS: usize = 4;
/// Elements of rows that are collected at a time: they stay in a second-level cache together with
/// the panels that they are multiplied with.
const COLLECTED: usize = 1 << 17;
/// Columns and rows of the portable kernel's sums, which live in registers.
const TILE: [usize; 2] = [8, 4];

/// Parts of a dot product side by side.
const LANES: usize = 8;

/// One row of a panel: the weights of neighbouring columns at one depth.
pub type Row = [f32; COLUMNS];

/// Rows of the first factor, as they lie in an activation. Element `i` of run `j` of row `r` is
/// `values[first + r · step + j · jump + i]`; the runs of a row, one after another, are as long as
/// the panels.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// What they lie in.
    pub values: &'a [f32],
    /// Where the first begins.
    pub first: usize,
    /// How many.
    pub count: usize,
    /// Elements from one row to the next.
    pub step: usize,
    /// Runs of a row.
    pub runs: usize,
    /// Elements from one run to the next.
    pub jump: usize,
    /// Elements of a run.
    pub len: usize,
}

impl<'a> Rows<'a> {
    /// Rows of one run each.
    pub const fn of_one_run(
        values: &'a [f32],
        first: usize,
        count: usize,
        step: usize,
        len: usize,
    ) -> Self {
        Self {
            values,
            first,
            count,
            step,
            runs: 1,
            jump: 0,
            len,
        }
    }

    /// Elements of a row.
    pub const fn depth(&self) -> usize {
        self.runs * self.len
    }

    /// Elements of `values` up to the last one that is read.
    pub const fn reach(&self) -> usize {
        if self.count == 0 || self.depth() == 0 {
            return 0;
        }
        self.first + (self.count - 1) * self.step + (self.runs - 1) * self.jump + self.len
    }
}

/// The second factor: columns in panels, one panel after another, each as long as the rows.
#[derive(Clone, Copy, Debug)]
pub struct Panels<'a> {
    /// The panels; what is missing to the last column of the last is not looked at.
    pub values: &'a [Row],
    /// Columns.
    pub columns: usize,
    /// What the sum of each column begins with; 0 where it is empty.
    pub bias: &'a [f32],
}

/// Where products go: column `c` of row `r` to `values[first + r · step + c]`, limited to
/// `min..=max`. NaN stays NaN.
#[derive(Debug)]
pub struct Store<'a> {
    /// What they go to.
    pub values: &'a mut [f32],
    /// Where the first row begins.
    pub first: usize,
    /// Elements from one row to the next.
    pub step: usize,
    /// The lower limit; −∞ is none.
    pub min: f32,
    /// The upper limit; ∞ is none.
    pub max: f32,
}

impl Store<'_> {
    /// Elements of `values` up to the last one that `rows` rows of `columns` columns write.
    pub const fn reach(&self, rows: usize, columns: usize) -> usize {
        if rows == 0 {
            return 0;
        }
        self.first + (rows - 1) * self.step + columns
    }
}

/// Multiplies rows with panels.
pub type Product = fn(&Rows<'_>, &Panels<'_>, Store<'_>);

/// The portable kernel.
pub fn product(rows: &Rows<'_>, panels: &Panels<'_>, mut store: Store<'_>) {
    let depth = rows.depth();
    for first in (0..panels.columns).step_by(TILE[0]) {
        let panel = &panels.values[first / COLUMNS * depth..][..depth];
        let mut row = 0;
        while row + TILE[1] <= rows.count {
            tile::<{ TILE[1] }>(rows, row, panel, panels, first, &mut store);
            row += TILE[1];
        }
        for row in row..rows.count {
            tile::<1>(rows, row, panel, panels, first, &mut store);
        }
    }
}

/// `R` rows from `row` on times the columns of a tile from `first` on.
#[inline(always)]
fn tile<const R: usize>(
    rows: &Rows<'_>,
    row: usize,
    panel: &[Row],
    panels: &Panels<'_>,
    first: usize,
    store: &mut Store<'_>,
) {
    let bias = |column| panels.bias.get(first + column).copied().unwrap_or(0.0);
    let mut sums = [core::array::from_fn(bias); R];
    let half = first % COLUMNS / TILE[0];
    for (run, panel) in panel.chunks_exact(rows.len.max(1)).enumerate() {
        let at = rows.first + row * rows.step + run * rows.jump;
        let a = core::array::from_fn(|r| &rows.values[at + r * rows.step..][..rows.len]);
        sums = accumulate(sums, a, panel, half);
    }
    let count = (panels.columns - first).min(TILE[0]);
    for (r, sums) in sums.iter().enumerate() {
        let at = store.first + (row + r) * store.step + first;
        for (out, &sum) in store.values[at..at + count].iter_mut().zip(sums) {
            *out = clip(sum, store.min, store.max);
        }
    }
}

/// Adds `Σ a[row][k] · panel[k]`, of one half of the panel's columns, to the sums of each row.
///
/// Not inlined: among other loops, LLVM takes the sums apart and joins them across rows, which
/// costs half of the speed.
#[inline(never)]
fn accumulate<const R: usize>(
    mut sums: [[f32; TILE[0]]; R],
    a: [&[f32]; R],
    panel: &[Row],
    half: usize,
) -> [[f32; TILE[0]]; R] {
    let a = a.map(|a| &a[..panel.len()]);
    for (k, row) in panel.iter().enumerate() {
        let row = &row.as_chunks::<{ TILE[0] }>().0[half];
        for (sums, a) in sums.iter_mut().zip(&a) {
            let x = a[k];
            for (sum, &y) in sums.iter_mut().zip(row) {
                *sum += x * y;
            }
        }
    }
    sums
}

/// How many rows of `depth` elements, of `count`, are collected at a time, to be multiplied where
/// they do not lie as [`Rows`].
pub fn collected(depth: usize, count: usize) -> usize {
    (COLLECTED / depth.max(1)).max(2 * ROWS).min(count)
}

/// Writes `values` to column `column` of panels that are `depth` long, from row `first` on.
pub fn pack_column(panels: &mut [Row], depth: usize, column: usize, first: usize, values: &[f32]) {
    let rows = &mut panels[column / COLUMNS * depth + first..][..values.len()];
    for (row, &value) in rows.iter_mut().zip(values) {
        row[column % COLUMNS] = value;
    }
}

/// Writes `values` to the first columns of row `row` of panels that are `depth` long.
pub fn pack_row(panels: &mut [Row], depth: usize, row: usize, values: &[f32]) {
    for (panel, values) in values.chunks(COLUMNS).enumerate() {
        panels[panel * depth + row][..values.len()].copy_from_slice(values);
    }
}

/// The dot products of `x` with each of `rows`, which are not shorter.
#[inline(always)]
pub fn dots<const N: usize>(x: &[f32], rows: [&[f32]; N]) -> [f32; N] {
    let rows = rows.map(|row| &row[..x.len()]);
    let (blocks, tail) = x.as_chunks::<LANES>();
    let start = blocks.len() * LANES;
    let mut lanes = [[0.0; LANES]; N];
    for (lanes, row) in lanes.iter_mut().zip(&rows) {
        *lanes = dot_lanes(blocks, row);
    }
    let mut sums = lanes.map(|lanes| lanes.iter().sum());
    for (sum, row) in sums.iter_mut().zip(&rows) {
        *sum += tail
            .iter()
            .zip(&row[start..])
            .map(|(x, y)| x * y)
            .sum::<f32>();
    }
    sums
}

#[inline(always)]
fn dot_lanes(blocks: &[[f32; LANES]], row: &[f32]) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    for (x, y) in blocks.iter().zip(row.as_chunks::<LANES>().0) {
        for (lane, (x, y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
            *lane += x * y;
        }
    }
    lanes
}

/// Writes the dot product of `x` with each row of `matrix` (as many as `out` has elements) added
/// to what `out` holds.
pub fn add_dots(x: &[f32], matrix: &[f32], out: &mut [f32]) {
    let depth = x.len();
    let (blocks, tail) = out.as_chunks_mut::<4>();
    let split = blocks.len() * 4 * depth;
    let rows = matrix[..split].chunks_exact(4 * depth);
    for (out, rows) in blocks.iter_mut().zip(rows) {
        let rows = core::array::from_fn(|row| &rows[row * depth..][..depth]);
        for (out, sum) in out.iter_mut().zip(dots::<4>(x, rows)) {
            *out += sum;
        }
    }
    for (out, row) in tail.iter_mut().zip(matrix[split..].chunks_exact(depth)) {
        *out += dots(x, [row])[0];
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::noise;
    use super::*;

    #[test]
    fn dots_are_within_1e_5() {
        for depth in [1, 7, 8, 29] {
            let (x, matrix) = (noise(1, depth), noise(2, depth * 7));
            let mut out = [1.0; 7];
            add_dots(&x, &matrix, &mut out);
            for (row, out) in matrix.chunks(depth).zip(out) {
                let products = x
                    .iter()
                    .zip(row)
                    .map(|(&x, &y)| f64::from(x) * f64::from(y));
                let expected = 1.0 + products.sum::<f64>();
                assert!((f64::from(out) - expected).abs() < 1e-5);
            }
        }
    }
}
