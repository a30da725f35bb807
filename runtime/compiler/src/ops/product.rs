//! Product of two matrices, each an activation or a constant operand, for each index of a batch.

use super::factor::multiplier;
use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::float::matmul::MatMulF32;
use microtome_kernels::float::source::Source;
use microtome_kernels::reference::mat_mul::{BATCH, MatMul};
use microtome_kernels::view::Strides;

/// Parameters of a product. The result is row major over the batch, rows and columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Product {
    /// Sizes of the batch.
    pub batch: [usize; BATCH],
    /// Rows, elements that are summed over, and columns.
    pub matrix: [usize; 3],
    /// Strides of the first operand along the batch, and then rows and what is summed over.
    pub a: ([isize; BATCH], [isize; 2]),
    /// Strides of the second one along the batch, and then what is summed over and columns.
    pub b: ([isize; BATCH], [isize; 2]),
}

impl GraphOp for Product {
    fn is_of_reals(&self) -> bool {
        true
    }

    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let inputs = [edges.input(0)?, edges.input(1)?];
        let [rows, depth, columns] = self.matrix;
        let [i, j, k] = self.batch;
        let ([a_i, a_j, a_k], [a_row, a_depth]) = self.a;
        let ([b_i, b_j, b_k], [b_depth, b_column]) = self.b;
        let spans = inputs.map(|input| i64::from(input.zero).abs() + 128);
        let bound = spans[0] * spans[1] * depth as i64;
        if bound > i64::from(i32::MAX) {
            return Err(Refusal::Overflow { channel: 0, bound });
        }
        let scale = f64::from(inputs[0].scale) * f64::from(inputs[1].scale);
        let view = |strides| Strides { offset: 0, strides };
        let params = MatMul {
            dims: [i, j, k, rows, depth, columns],
            a: view([a_i, a_j, a_k, a_row, a_depth, 0]),
            b: view([b_i, b_j, b_k, 0, b_depth, b_column]),
            zeros: inputs.map(|input| input.zero),
            factor: multiplier(scale / f64::from(edges.output()?.scale), bound as f64)?,
            store: edges.store()?,
        };
        Ok(Kernel::new(params, edges))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let [rows, depth, columns] = self.matrix;
        let [i, j, k] = self.batch;
        let view = |([i, j, k], [row, column]): ([isize; BATCH], [isize; 2])| Strides {
            offset: 0,
            strides: [0, i, j, k, row, column],
        };
        let params = MatMulF32 {
            batch: [1, i, j, k],
            rows,
            depth,
            columns,
            a: view(self.a),
            b: view(self.b),
            a_len: edges.input_edge(0).len,
            b_len: edges.input_edge(1).len,
            a_source: Source::Operand,
            b_source: Source::Operand,
        };
        Ok(Kernel::new(params, edges))
    }

    fn takes_bounds(&self) -> bool {
        true
    }
}
