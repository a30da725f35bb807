//! The innermost loops of all products: a few rows times a packed panel, and dot products.
//!
//! Sums live in registers, and neighbouring sums are independent, so that LLVM vectorises without
//! having to reorder additions.

/// Columns of a panel.
pub const COLUMNS: usize = 8;
/// Rows that one pass multiplies with a panel.
pub const ROWS: usize = 4;

/// One row of a panel, or the sums of one row.
pub type Row = [f32; COLUMNS];

/// Adds `Σ a[row][k] · panel[k]` to the sums of each row. No row is shorter than the panel.
///
/// Not inlined: among the loops of a convolution, LLVM takes the sums apart and joins them across
/// rows, which costs half of the speed.
#[inline(never)]
pub fn accumulate<const R: usize>(mut sums: [Row; R], a: [&[f32]; R], panel: &[Row]) -> [Row; R] {
    let a = a.map(|a| &a[..panel.len()]);
    for (k, row) in panel.iter().enumerate() {
        for (sums, a) in sums.iter_mut().zip(&a) {
            let x = a[k];
            for (sum, &y) in sums.iter_mut().zip(row) {
                *sum += x * y;
            }
        }
    }
    sums
}

/// Writes the transposed of `rows`, of which there are at most [`COLUMNS`] and each as long as the
/// panel; the columns that are missing are 0.
pub fn pack<'a>(panel: &mut [Row], rows: impl Iterator<Item = &'a [f32]>) {
    panel.fill([0.0; COLUMNS]);
    for (column, row) in rows.take(COLUMNS).enumerate() {
        for (packed, &value) in panel.iter_mut().zip(row) {
            packed[column] = value;
        }
    }
}

/// The dot products of `x` with each of `rows`, which are not shorter.
#[inline(always)]
pub fn dots<const N: usize>(x: &[f32], rows: [&[f32]; N]) -> [f32; N] {
    let rows = rows.map(|row| &row[..x.len()]);
    let (blocks, tail) = x.as_chunks::<COLUMNS>();
    let start = blocks.len() * COLUMNS;
    let mut lanes = [[0.0; COLUMNS]; N];
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
fn dot_lanes(blocks: &[Row], row: &[f32]) -> Row {
    let mut lanes = [0.0; COLUMNS];
    for (x, y) in blocks.iter().zip(row.as_chunks::<COLUMNS>().0) {
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
