//! Reductions over some axes of memory.

use super::average_pool::divided;
use super::factor::multiplier;
use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::float::reduce::{ReduceF32, ReduceKind};
use microtome_kernels::reference::reduce::{self, Fold};
use microtome_kernels::view::{AXES, Strides};

/// Largest difference of two int8 values.
const SPAN: f64 = 255.0;

/// A reduction of an operand that is row major over `dims`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduce {
    /// What is computed.
    pub kind: ReduceKind,
    /// Sizes of the axes.
    pub dims: [usize; AXES],
    /// Which of them the result lacks.
    pub reduced: [bool; AXES],
}

impl Reduce {
    /// The reduction of axes, outermost first, each of a size and with whether it goes.
    /// Neighbours of which the same becomes are one.
    ///
    /// # Errors
    /// When more axes remain than a view has.
    pub fn new(
        kind: ReduceKind,
        axes: impl Iterator<Item = (usize, bool)>,
    ) -> Result<Self, Refusal> {
        let mut merged: Vec<(usize, bool)> = Vec::new();
        for (size, goes) in axes.filter(|(size, _)| *size != 1) {
            match merged.last_mut() {
                Some((outer, same)) if *same == goes => *outer *= size,
                _ => merged.push((size, goes)),
            }
        }
        let found = merged.len();
        let first = AXES.checked_sub(found).ok_or(Refusal::TooMany {
            what: "axes to reduce in turn",
            found,
            most: AXES,
        })?;
        let (mut dims, mut reduced) = ([1; AXES], [false; AXES]);
        for (axis, (size, goes)) in merged.into_iter().enumerate() {
            (dims[first + axis], reduced[first + axis]) = (size, goes);
        }
        Ok(Self {
            kind,
            dims,
            reduced,
        })
    }

    /// Elements that become one.
    fn count(&self) -> usize {
        let axes = self.dims.iter().zip(self.reduced);
        axes.filter(|(_, goes)| *goes).map(|(dim, _)| dim).product()
    }
}

impl GraphOp for Reduce {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let sum = |divisor: usize| -> Result<Fold, Refusal> {
            let (input, output) = (edges.input(0)?, edges.output()?);
            let factor = f64::from(input.scale) / f64::from(output.scale);
            let span = SPAN * (self.count() / divisor) as f64;
            Ok(Fold::Sum {
                zero: input.zero,
                factor: divided(multiplier(factor, span)?, divisor),
                store: edges.store()?,
            })
        };
        let fold = match self.kind {
            ReduceKind::Sum => sum(1)?,
            ReduceKind::Mean => sum(self.count())?,
            ReduceKind::Max => Fold::Max,
            ReduceKind::Min => Fold::Min,
            _ => return Err(Refusal::Operator),
        };
        let whole = Strides::row_major(self.dims);
        let order: Vec<usize> = (0..AXES)
            .filter(|&axis| !self.reduced[axis])
            .chain((0..AXES).filter(|&axis| self.reduced[axis]))
            .collect();
        let params = reduce::Reduce {
            dims: std::array::from_fn(|axis| self.dims[order[axis]]),
            kept: self.reduced.iter().filter(|&&goes| !goes).count(),
            input: Strides {
                offset: 0,
                strides: std::array::from_fn(|axis| whole.strides[order[axis]]),
            },
            fold,
        };
        Ok(Kernel::new(params, edges))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = ReduceF32 {
            kind: self.kind,
            dims: self.dims,
            reduced: self.reduced,
            input: Strides::row_major(self.dims),
            input_len: edges.input_edge(0).len,
        };
        Ok(Kernel::new(params, edges))
    }

    fn has_integer(&self, _: &Edges<'_>) -> bool {
        use ReduceKind::{Max, Mean, Min, Sum};
        matches!(self.kind, Sum | Mean | Max | Min)
    }

    fn takes_bounds(&self) -> bool {
        matches!(self.kind, ReduceKind::Sum | ReduceKind::Mean)
    }

    fn keeps_quantization(&self) -> bool {
        matches!(self.kind, ReduceKind::Max | ReduceKind::Min)
    }
}
