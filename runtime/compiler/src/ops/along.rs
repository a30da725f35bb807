//! Along one axis of `[outer][len][inner]`: cumulative sums, the largest elements and their places.

use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::float::{arg, cum_sum, top_k};
use microtome_kernels::reference::arg_max;

/// Cumulative sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CumSum {
    /// What lies outside of the axis.
    pub outer: usize,
    /// Elements along the axis.
    pub len: usize,
    /// What lies inside of the axis.
    pub inner: usize,
    /// Each sum is without the element itself.
    pub exclusive: bool,
    /// Sums are over what follows.
    pub reverse: bool,
}

impl GraphOp for CumSum {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        self.float(edges)
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = cum_sum::CumSum {
            element: edges.output_edge().element(),
            outer: self.outer,
            len: self.len,
            inner: self.inner,
            exclusive: self.exclusive,
            reverse: self.reverse,
        };
        Ok(Kernel::new(params, edges))
    }

    fn has_integer(&self, _: &Edges<'_>) -> bool {
        false
    }
}

/// The `k` largest or smallest elements, sorted, and their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopK {
    /// What lies outside of the axis.
    pub outer: usize,
    /// Elements along the axis.
    pub len: usize,
    /// What lies inside of the axis.
    pub inner: usize,
    /// Elements that are taken.
    pub k: usize,
    /// The largest are taken, else the smallest.
    pub largest: bool,
}

impl GraphOp for TopK {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        self.float(edges)
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = top_k::TopK {
            outer: self.outer,
            len: self.len,
            inner: self.inner,
            k: self.k,
            largest: self.largest,
        };
        Ok(Kernel::new(params, edges))
    }

    fn has_integer(&self, _: &Edges<'_>) -> bool {
        false
    }
}

/// The place of the largest or smallest element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArgMax {
    /// What lies outside of the axis.
    pub outer: usize,
    /// Elements along the axis.
    pub len: usize,
    /// What lies inside of the axis.
    pub inner: usize,
    /// The largest is sought, else the smallest.
    pub maximum: bool,
    /// The last of equals is taken, else the first.
    pub last: bool,
}

impl GraphOp for ArgMax {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = arg_max::ArgMax {
            outer: self.outer,
            len: self.len,
            inner: self.inner,
            maximum: self.maximum,
            last: self.last,
        };
        Ok(Kernel::new(params, edges))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = arg::ArgF32 {
            outer: self.outer,
            len: self.len,
            inner: self.inner,
            maximum: self.maximum,
            last: self.last,
        };
        Ok(Kernel::new(params, edges))
    }
}
