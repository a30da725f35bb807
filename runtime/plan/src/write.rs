//! Making plans, and owning the bytes of one.

use crate::error::PlanError;
use crate::header::{self, Digest, HEADER_LEN, Header, SECTION_ALIGN};
use crate::manifest::Manifest;
use crate::op::Step;
use crate::plan::Plan;
use alloc::vec::Vec;

/// The bytes of the plan with this manifest, these steps and this constants section. The result
/// is not validated: give it to [`PlanBuf::new`].
pub fn encode(manifest: &Manifest<'_>, steps: &[Step<'_>], constants: &[u8]) -> Vec<u8> {
    let mut metadata = Vec::new();
    append(&mut metadata, manifest);
    for step in steps {
        append(&mut metadata, step);
    }
    let mut bytes = Vec::from([0; HEADER_LEN]);
    bytes.extend_from_slice(&metadata);
    bytes.resize(bytes.len().next_multiple_of(SECTION_ALIGN), 0);
    bytes.extend_from_slice(constants);
    header::write(&mut bytes, metadata.len() as u32, constants.len() as u32);
    bytes
}

fn append(bytes: &mut Vec<u8>, value: &impl serde::Serialize) {
    let encoded = postcard::to_allocvec(value).expect("every metadata type has a known length");
    bytes.extend_from_slice(&encoded);
}

/// An owned, validated plan.
#[derive(Debug)]
pub struct PlanBuf {
    /// The words make the alignment that [`Plan::parse`] wants.
    words: Vec<u128>,
    /// The word that the plan begins with: its constants section begins with a cache line, to which
    /// [`Target::constant_align`](crate::Target::constant_align) aligns constants.
    start: usize,
    header: Header,
}

/// Bytes of a cache line.
const LINE: usize = 64;

impl Clone for PlanBuf {
    fn clone(&self) -> Self {
        Self::place(self.bytes(), self.header)
    }
}

impl PlanBuf {
    /// Copies and validates the plan in `bytes`, which must hold nothing else.
    ///
    /// # Errors
    /// As [`Plan::parse`]; bytes that follow the plan are [`PlanError::NotAPlan`].
    pub fn new(bytes: &[u8]) -> Result<Self, PlanError> {
        let header = Header::parse(bytes)?;
        if header.total_len() != bytes.len() {
            return Err(PlanError::NotAPlan);
        }
        let plan = Self::place(bytes, header);
        Plan::parse(plan.bytes())?;
        Ok(plan)
    }

    /// Copies the plan that has this header.
    fn place(bytes: &[u8], header: Header) -> Self {
        let words = (bytes.len() + LINE).div_ceil(size_of::<u128>());
        let mut words = alloc::vec![0_u128; words];
        let section = words.as_ptr().addr() + header.constants_at();
        let start = (section.next_multiple_of(LINE) - section) / size_of::<u128>();
        let copy = bytemuck::cast_slice_mut::<u128, u8>(&mut words[start..]);
        copy[..bytes.len()].copy_from_slice(bytes);
        Self {
            words,
            start,
            header,
        }
    }

    /// The plan.
    pub fn plan(&self) -> Plan<'_> {
        Plan::decode(self.bytes(), self.header).expect("validated when it was made")
    }

    /// The plan's bytes, as a `.mtp` file holds them.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words[self.start..])[..self.header.total_len()]
    }

    /// The plan's identity.
    pub fn digest(&self) -> Digest {
        self.header.digest
    }
}
