//! Products of rows with packed weights: the sums of a tile, of up to 12 rows and two vectors of
//! columns, stay in registers.
//!
//! A tile's rows are read where they lie, an element at a time for all columns, so that nothing of
//! the first factor is packed. Rows come in blocks that stay in the second-level cache while all
//! panels pass.

#![allow(
    clippy::needless_range_loop,
    reason = "loops over arrays of registers are unrolled as indices alone"
)]

use super::vector::Vector;
use crate::float::tile::{COLUMNS, Panels, Row, Rows, Store};

/// Vectors of a tile's columns.
const VECTORS: usize = 2;
/// Elements of a block of rows.
const BLOCK: usize = 1 << 16;

/// As [`crate::float::tile::product`], in tiles of at most `R` rows, of which there are 12 at most.
///
/// # Safety
/// The processor has the vector's instructions, and the caller is compiled for them.
#[inline(always)]
pub(in crate::arch) unsafe fn product<V: Vector, const R: usize>(
    rows: &Rows<'_>,
    panels: &Panels<'_>,
    mut store: Store<'_>,
) {
    let depth = rows.depth();
    // What the loops rely on.
    assert!(rows.reach() <= rows.values.len());
    assert!(panels.columns.div_ceil(COLUMNS) * depth <= panels.values.len());
    assert!(store.reach(rows.count, panels.columns) <= store.values.len());
    // Blocks and tiles of about one size: a single row uses the processor badly.
    let blocks = (rows.count * depth).div_ceil(BLOCK).max(1);
    for block in split(
        0,
        rows.count,
        rows.count.div_ceil(blocks).next_multiple_of(R),
    ) {
        let mut first = 0;
        while first < panels.columns {
            let columns = Columns {
                panels,
                depth,
                first,
                count: panels.columns - first,
            };
            let wide = columns.count > V::LANES;
            for [row, count] in split(block[0], block[1], R) {
                // SAFETY: as this function's; the assertions above hold the bounds.
                unsafe {
                    if wide {
                        columns.tile_of::<V, VECTORS>(rows, row, count, &mut store);
                    } else {
                        columns.tile_of::<V, 1>(rows, row, count, &mut store);
                    }
                }
            }
            first += if wide { VECTORS * V::LANES } else { V::LANES };
        }
    }
}

/// Cuts `count` rows from `first` on into the fewest parts of at most `most` rows, about equal:
/// where each begins, and how many it has.
#[inline(always)]
fn split(first: usize, count: usize, most: usize) -> impl Iterator<Item = [usize; 2]> {
    let parts = count.div_ceil(most.max(1));
    (0..parts).map(move |part| {
        let [start, end] = [part, part + 1].map(|part| part * count / parts);
        [first + start, end - start]
    })
}

/// The columns of a tile, and what lies behind them.
struct Columns<'a> {
    panels: &'a Panels<'a>,
    depth: usize,
    first: usize,
    count: usize,
}

impl Columns<'_> {
    /// # Safety
    /// As [`product`], after its assertions. `count` is at most 12.
    #[inline(always)]
    unsafe fn tile_of<V: Vector, const N: usize>(
        &self,
        rows: &Rows<'_>,
        row: usize,
        count: usize,
        store: &mut Store<'_>,
    ) {
        macro_rules! tiles {
            ($($rows:literal)*) => {
                match count {
                    // SAFETY: the caller's promise.
                    $($rows => unsafe { self.tile::<V, N, $rows>(rows, row, store) },)*
                    _ => {}
                }
            };
        }
        tiles!(1 2 3 4 5 6 7 8 9 10 11 12);
    }

    /// Computes `R` rows from `row` on.
    ///
    /// # Safety
    /// As [`product`], after its assertions.
    #[inline(always)]
    unsafe fn tile<V: Vector, const N: usize, const R: usize>(
        &self,
        rows: &Rows<'_>,
        row: usize,
        store: &mut Store<'_>,
    ) {
        let at = store.first + row * store.step + self.first;
        // SAFETY: all that is written lies within what `product` asserts: `count` columns, or as
        // many as the tile has, of the rows.
        unsafe {
            let sums = self.sums::<V, N, R>(rows, row);
            let (min, max) = (V::splat(store.min), V::splat(store.max));
            let to = store.values.as_mut_ptr().add(at);
            if self.count >= N * V::LANES {
                for r in 0..R {
                    for vector in 0..N {
                        let to = to.add(r * store.step + vector * V::LANES);
                        sums[r][vector].clip(min, max).store(to);
                    }
                }
                return;
            }
            let mut lanes = [[0.0_f32; VECTORS * COLUMNS]; R];
            for r in 0..R {
                for vector in 0..N {
                    let to = lanes[r].as_mut_ptr().add(vector * V::LANES);
                    sums[r][vector].clip(min, max).store(to);
                }
            }
            for (r, lanes) in lanes.iter().enumerate() {
                let to = to.add(r * store.step);
                core::ptr::copy_nonoverlapping(lanes.as_ptr(), to, self.count);
            }
        }
    }

    /// The sums of `R` rows from `row` on. They are in registers only where nothing else holds
    /// their address, and all loops over them are unrolled.
    ///
    /// # Safety
    /// As [`product`], after its assertions.
    #[inline(always)]
    unsafe fn sums<V: Vector, const N: usize, const R: usize>(
        &self,
        rows: &Rows<'_>,
        row: usize,
    ) -> [[V; N]; R] {
        // The vectors of a tile are at one distance: neighbours in a panel, or panels apart.
        let place = |column: usize| column / COLUMNS * self.depth * COLUMNS + column % COLUMNS;
        let first = place(self.first);
        let distance = place(self.first + V::LANES) - first;
        let b = self.panels.values.as_ptr().cast::<f32>();
        let mut b = b.wrapping_add(first);
        let a = rows.values.as_ptr();
        let mut a = a.wrapping_add(rows.first + row * rows.step);
        // SAFETY: all that is read lies within what `product` asserts: `row + R` rows, each of
        // `runs` runs of `len` elements; `depth` rows of each panel.
        unsafe {
            let mut sums = [self.bias::<V, N>(); R];
            for _ in 0..rows.runs {
                for k in 0..rows.len {
                    let mut weights = [V::splat(0.0); N];
                    for vector in 0..N {
                        weights[vector] = V::load(b.add(vector * distance));
                    }
                    for r in 0..R {
                        let x = V::splat(*a.add(r * rows.step + k));
                        for vector in 0..N {
                            sums[r][vector] = sums[r][vector].add_product(x, weights[vector]);
                        }
                    }
                    b = b.add(COLUMNS);
                }
                a = a.wrapping_add(rows.jump);
            }
            sums
        }
    }

    /// # Safety
    /// As [`product`].
    #[inline(always)]
    unsafe fn bias<V: Vector, const N: usize>(&self) -> [V; N] {
        let mut lanes: Row = [0.0; COLUMNS];
        core::array::from_fn(|vector| {
            let first = self.first + vector * V::LANES;
            for (lane, value) in lanes.iter_mut().take(V::LANES).enumerate() {
                *value = self.panels.bias.get(first + lane).copied().unwrap_or(0.0);
            }
            // SAFETY: a vector has at most as many lanes.
            unsafe { V::load(lanes.as_ptr()) }
        })
    }
}
