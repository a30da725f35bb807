//! Sum, mean, maximum and minimum over some axes.

use crate::num::{Multiplier, Output};
use crate::operator::{Args, Element, Extents, Fault, Operator, one, require};
use crate::rules;
use crate::set::KernelSet;
use crate::view::{AXES, Strides, for_each, for_each_row};
use serde::{Deserialize, Serialize};

/// Most elements that are reduced to one: keeps their sum within int32.
pub const REDUCED_MAX: usize = 1 << 23;

/// Parameters of a reduction. The output is row major over the kept axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reduce {
    /// Elements along each axis: first those that are kept, then those that are reduced.
    pub dims: [usize; AXES],
    /// How many axes are kept.
    pub kept: usize,
    /// How the input is read.
    pub input: Strides,
    /// What becomes of the elements that are reduced to one.
    pub fold: Fold,
}

/// What becomes of the elements that are reduced to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fold {
    /// Their sum. For a mean, the factor is also divided by how many there are.
    Sum {
        /// Zero point of the input.
        zero: i8,
        /// The input's scale over the output's.
        factor: Multiplier,
        /// How sums become outputs.
        store: Output,
    },
    /// Their maximum. One scale and one zero point in and out.
    Max,
    /// Their minimum. One scale and one zero point in and out.
    Min,
}

impl Reduce {
    /// The dims of the kept axes, after axes of 1 element for the others' places.
    fn kept_dims(&self) -> [usize; AXES] {
        let mut dims = self.dims;
        dims[self.kept..].fill(1);
        dims
    }

    /// The dims of the reduced axes.
    fn reduced_dims(&self) -> [usize; AXES] {
        let mut dims = self.dims;
        dims[..self.kept].fill(1);
        dims
    }
}

impl Operator for Reduce {
    fn kind(&self) -> &'static str {
        match self.fold {
            Fold::Sum { .. } => "reduce_sum",
            Fold::Max => "reduce_max",
            Fold::Min => "reduce_min",
        }
    }

    fn check(&self) -> Result<(), Fault> {
        require(self.kept <= AXES, Fault::Size)?;
        self.input.check_reach(self.dims)?;
        let reduced: usize = self.reduced_dims().iter().product();
        require(reduced <= REDUCED_MAX, Fault::Size)?;
        match self.fold {
            Fold::Sum { factor, store, .. } => {
                rules::factor(factor)?;
                rules::store(&store)
            }
            Fold::Max | Fold::Min => Ok(()),
        }
    }

    fn inputs(&self) -> Extents {
        one(Element::I8, self.input.reach(self.dims))
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.kept_dims().iter().product())
    }

    fn run(&self, _set: &KernelSet, mut args: Args<'_>) {
        let input = args.input(0);
        reduce(self, input, args.output(0));
    }
}

/// Writes what the elements of `input` are reduced to.
pub fn reduce(params: &Reduce, input: &[i8], output: &mut [i8]) {
    match params.fold {
        Fold::Sum {
            zero,
            factor,
            store,
        } => {
            let step = |sum, value: i8| sum + i32::from(value) - i32::from(zero);
            let finish = |sum| store.store(factor.apply(sum));
            fold(params, input, output, (0, step, finish));
        }
        Fold::Max => fold(params, input, output, (i8::MIN, i8::max, |max| max)),
        Fold::Min => fold(params, input, output, (i8::MAX, i8::min, |min| min)),
    }
}

/// Folds, with where it starts, one step, and what makes an output of the last value.
fn fold<A: Copy>(
    params: &Reduce,
    input: &[i8],
    output: &mut [i8],
    (start, step, finish): (A, impl Fn(A, i8) -> A, impl Fn(A) -> i8),
) {
    let (reduced, stride) = (params.reduced_dims(), params.input.strides[AXES - 1]);
    let mut outputs = output.iter_mut();
    for_each(params.kept_dims(), |index| {
        let view = Strides {
            offset: params.input.at(index),
            ..params.input
        };
        let mut folded = start;
        for_each_row(reduced, [&view], |[mut at]| {
            for _ in 0..reduced[AXES - 1] {
                folded = step(folded, input[at]);
                at = at.wrapping_add_signed(stride);
            }
        });
        if let Some(out) = outputs.next() {
            *out = finish(folded);
        }
    });
}
