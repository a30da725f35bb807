//! Local response normalisation.

use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::float::lrn;

/// A normalisation of each element by its neighbours among the channels, which are last in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lrn(
    /// Its parameters.
    pub lrn::Lrn,
);

impl GraphOp for Lrn {
    fn integer(&self, _edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        Err(Refusal::Operator)
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        Ok(Kernel::new(self.0, edges))
    }

    fn has_integer(&self, _edges: &Edges<'_>) -> bool {
        false
    }
}
