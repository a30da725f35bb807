//! Product of two matrices that are both activations, for each index of a batch.

use crate::num::{Multiplier, Output, Shape};
use crate::operator::{
    Args, Element, Extent, Extents, Fault, Operator, checked_len, extents, one, require,
};
use crate::rules;
use crate::set::KernelSet;
use crate::view::{AXES, Strides, for_each};
use serde::{Deserialize, Serialize};

/// Axes of the batch, before those of the matrices.
pub const BATCH: usize = 3;
/// The axis of rows.
pub const ROW: usize = BATCH;
/// The axis that is summed over.
pub const INNER: usize = BATCH + 1;
/// The axis of columns.
pub const COLUMN: usize = BATCH + 2;

/// Parameters of a matrix product.
///
/// The iteration space has the axes batch (three), row, inner and column. Operands may be
/// transposed, broadcast or cut in it; the output is row major over all axes but the inner one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatMul {
    /// Elements along each axis.
    pub dims: [usize; AXES],
    /// How the first operand is read; its stride along columns is 0.
    pub a: Strides,
    /// How the second operand is read; its stride along rows is 0.
    pub b: Strides,
    /// Zero point of each operand.
    pub zeros: [i8; 2],
    /// The product of the operands' scales over the output's scale.
    pub factor: Multiplier,
    /// How sums become outputs.
    pub store: Output,
}

impl MatMul {
    /// Rows, inner elements and columns.
    pub const fn matrix(&self) -> [usize; 3] {
        [self.dims[ROW], self.dims[INNER], self.dims[COLUMN]]
    }

    /// The dims of the output; that of the inner axis is 1.
    pub const fn output_dims(&self) -> [usize; AXES] {
        self.without(INNER)
    }

    const fn a_dims(&self) -> [usize; AXES] {
        self.without(COLUMN)
    }

    const fn b_dims(&self) -> [usize; AXES] {
        self.without(ROW)
    }

    const fn without(&self, axis: usize) -> [usize; AXES] {
        let mut dims = self.dims;
        dims[axis] = 1;
        dims
    }

    /// The output for a sum of products.
    pub const fn output(&self, sum: i32) -> i8 {
        self.store.store(self.factor.apply(sum))
    }
}

impl Operator for MatMul {
    fn kind(&self) -> &'static str {
        "mat_mul"
    }

    fn check(&self) -> Result<(), Fault> {
        let [a, b, output] = [self.a_dims(), self.b_dims(), self.output_dims()];
        self.a.check_reach(a)?;
        self.b.check_reach(b)?;
        checked_len(&output)?;
        let free = self.a.strides[COLUMN] == 0 && self.b.strides[ROW] == 0;
        require(free, Fault::Shape)?;
        // No sum leaves int32.
        let [_, inner, _] = self.matrix();
        let [a, b] = self.zeros.map(|zero| i64::from(zero).unsigned_abs() + 128);
        let fits = inner as u64 * a * b <= i32::MAX as u64;
        require(fits, Fault::Size)?;
        rules::factor(self.factor)?;
        rules::store(&self.store)
    }

    fn inputs(&self) -> Extents {
        let (a, b) = (self.a.reach(self.a_dims()), self.b.reach(self.b_dims()));
        extents(&[a, b].map(|len| Extent::new(Element::I8, len)))
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.output_dims().iter().product())
    }

    fn macs(&self) -> usize {
        self.dims
            .iter()
            .fold(1, |macs, &dim| macs.saturating_mul(dim))
    }

    fn output_shape(&self) -> Shape {
        let [rows, _, columns] = self.matrix();
        Shape {
            height: self.dims[..BATCH].iter().product(),
            width: rows,
            channels: columns,
        }
    }

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        let (a, b) = (args.input(0), args.input(1));
        (set.mat_mul)(self, a, b, args.output(0));
    }
}

/// Writes the products of the matrices of `a` and `b` to `output`.
pub fn mat_mul(params: &MatMul, a: &[i8], b: &[i8], output: &mut [i8]) {
    let [_, inner, _] = params.matrix();
    let mut outputs = output.iter_mut();
    for_each(params.output_dims(), |mut index| {
        let mut sum = 0;
        for k in 0..inner {
            index[INNER] = k;
            let a = i32::from(a[params.a.at(index)]) - i32::from(params.zeros[0]);
            let b = i32::from(b[params.b.at(index)]) - i32::from(params.zeros[1]);
            sum += a * b;
        }
        if let Some(out) = outputs.next() {
            *out = params.output(sum);
        }
    });
}
