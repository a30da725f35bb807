//! Triangles of matrices; the rest is 0.

use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::float::trilu;

/// A triangle of each of `batch` matrices, row major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trilu {
    /// Matrices.
    pub batch: usize,
    /// Rows of each.
    pub rows: usize,
    /// Columns of each.
    pub columns: usize,
    /// Diagonals between the main one and the triangle's.
    pub diagonal: i32,
    /// The upper triangle stays, else the lower.
    pub upper: bool,
}

impl GraphOp for Trilu {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        self.float(edges)
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = trilu::Trilu {
            element: edges.output_edge().element(),
            batch: self.batch,
            rows: self.rows,
            columns: self.columns,
            diagonal: self.diagonal,
            upper: self.upper,
        };
        Ok(Kernel::new(params, edges))
    }

    // A quantized zero is the zero point, which the kernel does not know.
    fn has_integer(&self, _: &Edges<'_>) -> bool {
        false
    }
}
