//! Why bytes are not a plan.

use crate::header::SECTION_ALIGN;

/// Why bytes are not a plan that can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The magic number or the section lengths are not those of a plan.
    #[error("this is not a plan: make one with `microtome compile`")]
    NotAPlan,
    /// The format is older or newer than this build.
    #[error("plan format {found}, this build reads {supported}: compile the model again")]
    Version {
        /// The version of the file.
        found: u16,
        /// The version that this build reads.
        supported: u16,
    },
    /// Bytes are missing.
    #[error("the plan is truncated: {have} of {need} bytes")]
    Truncated {
        /// Bytes that there should be.
        need: usize,
        /// Bytes that there are.
        have: usize,
    },
    /// The content does not have the digest that the header states.
    #[error("the plan is damaged: its digest does not match; copy or compile it again")]
    Digest,
    /// The plan does not lie at a multiple of the section alignment.
    #[error("the plan must lie at a multiple of {SECTION_ALIGN} bytes in memory")]
    Misaligned,
    /// The manifest breaks a rule.
    #[error("the plan's manifest is not valid: {fault}")]
    Manifest {
        /// The rule.
        fault: Fault,
    },
    /// A step breaks a rule.
    #[error("step {index} of the plan is not valid: {fault}")]
    Step {
        /// Index of the step, from 0.
        index: usize,
        /// The rule.
        fault: Fault,
    },
}

/// A rule that a plan breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The metadata does not decode, bytes are left over, or an operator is not in this build.
    #[error("the metadata does not decode, or has an operator that this build was made without")]
    Encoding,
    /// A size is zero or beyond its limit.
    #[error("a size is zero or too large")]
    Size,
    /// Shapes of operands, output or window do not fit together.
    #[error("the shapes do not fit together")]
    Shape,
    /// The operator is not among those that this build links.
    #[error("this build was made without the operator (MICROTOME_OPS)")]
    Absent,
    /// A fixed-point factor, a clamp or an index is out of its range.
    #[error("a factor, clamp or index is out of range")]
    Number,
    /// An arena span is misaligned or ends beyond the arena.
    #[error("an operand lies outside of the arena or is misaligned")]
    Arena,
    /// The output overlaps an operand in a way that the operator does not allow.
    #[error("the output overlaps an operand")]
    Overlap,
    /// A constant is misaligned or ends beyond the constants.
    #[error("a constant lies outside of the plan or is misaligned")]
    Constant,
    /// An input or output is not described consistently.
    #[error("an input or output is not described consistently")]
    Port,
}

impl From<microtome_kernels::Fault> for Fault {
    fn from(fault: microtome_kernels::Fault) -> Self {
        match fault {
            microtome_kernels::Fault::Size => Self::Size,
            microtome_kernels::Fault::Shape => Self::Shape,
            microtome_kernels::Fault::Number => Self::Number,
            microtome_kernels::Fault::Absent => Self::Absent,
        }
    }
}
