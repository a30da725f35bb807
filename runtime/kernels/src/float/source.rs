//! Where the operands of an operator come from: the arena, a constant, or nowhere.

use crate::operator::{Args, Extent, Extents, Fault, OPERANDS_MAX, require};
use bytemuck::AnyBitPattern;
use heapless::Vec;
use serde::{Deserialize, Serialize};

/// Where an operand comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// There is none: it reads as an empty slice.
    None,
    /// An activation.
    Operand,
    /// A constant of the plan.
    Constant,
}

impl Source {
    /// Whether there is such an operand.
    pub const fn is_some(self) -> bool {
        !matches!(self, Self::None)
    }

    /// The operand cannot be left out.
    ///
    /// # Errors
    /// [`Fault::Shape`] if it is.
    pub const fn needed(self) -> Result<(), Fault> {
        require(self.is_some(), Fault::Shape)
    }
}

/// What an operator reads, in its own order, each from its source.
#[derive(Clone, Debug)]
pub struct Reads(Vec<(Source, Extent), OPERANDS_MAX>);

impl Reads {
    /// The list of `reads`, of which there are at most [`OPERANDS_MAX`].
    pub fn new(reads: &[(Source, Extent)]) -> Self {
        Self(reads.iter().copied().take(OPERANDS_MAX).collect())
    }

    fn from(&self, source: Source) -> Extents {
        let reads = self.0.iter().filter(|(from, _)| *from == source);
        reads.map(|&(_, extent)| extent).collect()
    }

    /// Those that are activations.
    pub fn inputs(&self) -> Extents {
        self.from(Source::Operand)
    }

    /// Those that are constants.
    pub fn constants(&self) -> Extents {
        self.from(Source::Constant)
    }

    /// The elements of read `index`.
    pub fn get<'a, T: AnyBitPattern>(&self, args: &Args<'a>, index: usize) -> &'a [T] {
        let (source, _) = self.0[index];
        let before = self.0[..index].iter().filter(|(from, _)| *from == source);
        match source {
            Source::None => &[],
            Source::Operand => args.input(before.count()),
            Source::Constant => args.constant(before.count()),
        }
    }
}
