//! Ensembles of decision trees.

use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::float::tree_ensemble::TreeEnsemble;

/// An ensemble with its trees.
#[derive(Clone, Debug, PartialEq)]
pub struct Trees {
    /// Its sizes.
    pub ensemble: TreeEnsemble,
    /// Its nodes and votes, as the kernel takes them.
    pub constants: Vec<Vec<u8>>,
}

impl GraphOp for Trees {
    fn integer(&self, _edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        Err(Refusal::Operator)
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        Ok(Kernel::new(self.ensemble, edges).with(self.constants.clone()))
    }

    fn has_integer(&self, _edges: &Edges<'_>) -> bool {
        false
    }
}
