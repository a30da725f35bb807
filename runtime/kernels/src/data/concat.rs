//! Operands one after another along an axis.

use crate::operator::{
    Args, Element, Extent, Extents, Fault, OPERANDS_MAX, Operator, checked_len, one, require,
};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a concatenation. Operand `i` is `[outer][inner[i]]`, the output
/// `[outer][Σ inner]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concat {
    /// Type of the elements.
    pub element: Element,
    /// Elements before the axis.
    pub outer: usize,
    /// Elements of each operand along the axis and after it; 0 for what is not an operand, after
    /// all that are.
    pub inner: [usize; OPERANDS_MAX],
}

impl Concat {
    fn operands(&self) -> impl Iterator<Item = usize> {
        self.inner.into_iter().take_while(|&inner| inner > 0)
    }
}

impl Operator for Concat {
    fn kind(&self) -> &'static str {
        "concat"
    }

    fn check(&self) -> Result<(), Fault> {
        let count = self.operands().count();
        let rest = &self.inner[count..];
        require(
            count > 0 && rest.iter().all(|&inner| inner == 0),
            Fault::Size,
        )?;
        let mut whole = 0;
        for inner in self.operands() {
            // No sum of 8 bounded lengths overflows.
            whole += checked_len(&[inner])?;
        }
        checked_len(&[self.outer, whole]).map(drop)
    }

    fn inputs(&self) -> Extents {
        let extent = |inner| Extent::new(self.element, self.outer * inner);
        self.operands().map(extent).collect()
    }

    fn outputs(&self) -> Extents {
        one(self.element, self.outer * self.operands().sum::<usize>())
    }

    fn run(&self, _set: &KernelSet, mut args: Args<'_>) {
        let size = self.element.bytes();
        let whole = self.operands().sum::<usize>() * size;
        let mut first = 0;
        for (operand, inner) in self.operands().enumerate() {
            let run = inner * size;
            let from = args.input::<u8>(operand).chunks_exact(run);
            let to = args.output::<u8>(0).chunks_exact_mut(whole);
            for (to, from) in to.zip(from) {
                to[first..first + run].copy_from_slice(from);
            }
            first += run;
        }
    }
}
