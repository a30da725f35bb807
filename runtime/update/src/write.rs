//! Writing packages.

use crate::header::{
    DIGEST_AT, HEADER_LEN, Header, KEY_AT, MAGIC, PART_LEN_MAX, SIGNATURE_AT, VERSION,
};
use crate::package::{Golden, Package, PackageError, digest};
use crate::signature::{Key, Signature};
use alloc::vec::Vec;
use microtome_plan::PlanBuf;
use microtome_plan::header::SECTION_ALIGN;

/// A package in memory of its own.
#[derive(Clone, Debug)]
pub struct PackageBuf {
    /// The words make the alignment that plans want.
    words: Vec<u128>,
    len: usize,
}

impl PackageBuf {
    /// Copies and checks the package at the beginning of `bytes`.
    ///
    /// # Errors
    /// As [`Package::parse`].
    pub fn new(bytes: &[u8]) -> Result<Self, PackageError> {
        let need = Header::parse(bytes)?.total_len();
        let have = bytes.len();
        let bytes = (bytes.get(..need)).ok_or(PackageError::Truncated { need, have })?;
        let mut words = alloc::vec![0_u128; need.div_ceil(size_of::<u128>())];
        bytemuck::cast_slice_mut(&mut words)[..need].copy_from_slice(bytes);
        let package = Self { words, len: need };
        Package::parse(package.bytes())?;
        Ok(package)
    }

    /// The bytes of the package.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }

    /// The package.
    pub fn package(&self) -> Package<'_> {
        Package::parse(self.bytes()).expect("it was checked when this was made")
    }
}

/// The unsigned package of a plan; see [`sign`].
///
/// # Errors
/// [`PackageError::Layout`] without golden vectors and where a part is too long, and
/// [`PackageError::InputLen`] where a vector does not fit the plan.
pub fn encode(
    release: u64,
    plan: &PlanBuf,
    golden: &[Golden<'_>],
) -> Result<Vec<u8>, PackageError> {
    let expected = (plan.plan().manifest().inputs.iter())
        .map(microtome_plan::Port::len_bytes)
        .sum();
    let mut lens = golden.iter().map(|golden| golden.input.len());
    if let Some(found) = lens.find(|&found| found != expected) {
        return Err(PackageError::InputLen { found, expected });
    }
    let plan_digest = plan.plan().digest();
    let plan = plan.bytes();
    let golden_len: usize = golden.iter().map(|golden| golden.input.len() + 32).sum();
    if golden.is_empty() || plan.len().max(golden_len) as u64 > PART_LEN_MAX {
        return Err(PackageError::Layout);
    }
    let mut bytes = Vec::with_capacity(HEADER_LEN + plan.len() + SECTION_ALIGN + golden_len);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(release.to_le_bytes());
    for number in [plan.len(), golden.len(), expected, 0] {
        bytes.extend((number as u32).to_le_bytes());
    }
    bytes.extend(plan_digest);
    bytes.resize(HEADER_LEN, 0);
    bytes.extend(plan);
    let golden_at = bytes.len().next_multiple_of(SECTION_ALIGN);
    bytes.resize(golden_at, 0);
    for golden in golden {
        bytes.extend(golden.input);
        bytes.extend(golden.output);
    }
    let digest = digest(&bytes, &bytes[golden_at..]);
    bytes[DIGEST_AT..KEY_AT].copy_from_slice(&digest);
    Ok(bytes)
}

/// Puts the signature that `sign` makes of a message, and its public key, into a package.
///
/// # Errors
/// When the bytes do not begin with a package's header.
pub fn sign(
    package: &mut [u8],
    key: &Key,
    sign: impl FnOnce(&[u8]) -> Signature,
) -> Result<(), PackageError> {
    let header = Header::parse(package)?;
    let signature = sign(&crate::signature::message::update(&header.digest));
    package[KEY_AT..SIGNATURE_AT].copy_from_slice(key);
    package[SIGNATURE_AT..HEADER_LEN].copy_from_slice(&signature);
    Ok(())
}
