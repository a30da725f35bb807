//! Parsing a plan, and the validated plan that executors run.

use crate::error::{Fault, PlanError};
use crate::header::{Digest, HEADER_LEN, Header, SECTION_ALIGN, digest};
use crate::manifest::Manifest;
use crate::op::{ConstAt, Step};
use crate::validate::validate;
use core::fmt::Write as _;
use microtome_kernels::operator::{Constants, Extent};

/// A validated plan over the bytes that hold it.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    header: Header,
    manifest: Manifest<'a>,
    steps: &'a [u8],
    constants: &'a [u8],
}

impl<'a> Plan<'a> {
    /// Reads and validates the plan at the beginning of `bytes`; what follows it is not looked
    /// at, so that `bytes` may be a whole flash slot.
    ///
    /// # Errors
    /// [`PlanError`] names the first thing that is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PlanError> {
        if !bytes.as_ptr().addr().is_multiple_of(SECTION_ALIGN) {
            return Err(PlanError::Misaligned);
        }
        let header = Header::parse(bytes)?;
        let bytes = &bytes[..header.total_len()];
        if digest(bytes) != header.digest {
            return Err(PlanError::Digest);
        }
        let plan = Self::decode(bytes, header)?;
        validate(&plan)?;
        Ok(plan)
    }

    /// Takes apart a plan whose header and digest are right.
    pub(crate) fn decode(bytes: &'a [u8], header: Header) -> Result<Self, PlanError> {
        let metadata = &bytes[HEADER_LEN..HEADER_LEN + header.metadata_len];
        let (manifest, steps) =
            postcard::take_from_bytes(metadata).map_err(|_| PlanError::Manifest {
                fault: Fault::Encoding,
            })?;
        let constants = &bytes[header.constants_at()..header.total_len()];
        Ok(Self {
            header,
            manifest,
            steps,
            constants,
        })
    }

    /// What the plan is for.
    pub fn manifest(&self) -> &Manifest<'a> {
        &self.manifest
    }

    /// The plan's identity.
    pub fn digest(&self) -> Digest {
        self.header.digest
    }

    /// Bytes of the plan, header included.
    pub fn len_bytes(&self) -> usize {
        self.header.total_len()
    }

    /// The steps in the order of execution.
    pub fn steps(&self) -> Steps<'a> {
        Steps {
            rest: self.steps,
            left: self.manifest.steps,
        }
    }

    /// The whole constants section, for executors that upload it at once.
    pub fn constants(&self) -> &'a [u8] {
        self.constants
    }

    /// The constants of a step of this plan.
    pub fn step_constants(&self, step: &Step<'_>) -> Constants<'a> {
        let bytes = |(at, extent)| self.constant(at, extent);
        Constants(step.constants().map(bytes).collect())
    }

    /// The bytes of a constant of that extent.
    pub fn constant(&self, at: ConstAt, extent: Extent) -> &'a [u8] {
        &self.constants[at.0..at.0 + extent.bytes()]
    }

    pub(crate) fn steps_encoded(&self) -> &'a [u8] {
        self.steps
    }
}

/// Iterator over a plan's steps, each decoded when it is asked for.
#[derive(Clone, Debug)]
pub struct Steps<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Steps<'a> {
    /// As [`Iterator::next`], into a place that is there already.
    pub fn read(&mut self, step: &mut Step<'a>) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        // Validation read every step; only memory that changed since then ends a run early.
        step.read(&mut self.rest).ok()
    }
}

impl<'a> Iterator for Steps<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        let mut step = Step::empty();
        self.read(&mut step)?;
        Some(step)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Steps<'_> {}

/// The first 16 hexadecimal digits of a digest, as reports print it.
pub fn short(digest: &Digest) -> heapless::String<16> {
    let mut text = heapless::String::new();
    for byte in &digest[..8] {
        // Sixteen digits are the capacity.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
