//! Parsing a package: the plan and the golden vectors over the bytes that hold them.

use crate::header::{DIGESTED, HEADER_LEN, Header};
use microtome_plan::{Digest, Plan, PlanError, Port};
use sha2::{Digest as _, Sha256};

/// A package whose every byte is accounted for. Whether it may be run is for
/// [`Header::authorize`] to say, whether it runs right for its golden vectors.
#[derive(Clone, Debug)]
pub struct Package<'a> {
    header: Header,
    plan: Plan<'a>,
    golden: &'a [u8],
}

/// An input, and what the plan must make of it.
///
/// Vectors are runs one after another: what a plan keeps from run to run begins empty with the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Golden<'a> {
    /// The plan's inputs one after another, in the arena's order.
    pub input: &'a [u8],
    /// SHA-256 of the plan's raw outputs one after another, in the arena's order.
    pub output: Digest,
}

/// Why bytes are not a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// The magic number is not there.
    #[error("this is not an update package")]
    NotAPackage,
    /// The format is older or newer than this build.
    #[error("package format {found}, this build reads {supported}: make the package again")]
    Version {
        /// The version of the file.
        found: u16,
        /// The version that this build reads.
        supported: u16,
    },
    /// Bytes are missing.
    #[error("the package is truncated: {have} of {need} bytes")]
    Truncated {
        /// Bytes that there should be.
        need: usize,
        /// Bytes that there are.
        have: usize,
    },
    /// Lengths that can not be, no golden vector, or a reserved byte that is not zero.
    #[error("the package's header can not be: its lengths or its padding are wrong")]
    Layout,
    /// Header or golden vectors do not have the digest that the header states.
    #[error("the package is damaged: its digest does not match; send or make it again")]
    Digest,
    /// The plan is another than the header states.
    #[error("the package has another plan than its header states")]
    OtherPlan,
    /// The plan is not valid.
    #[error("{0}")]
    Plan(PlanError),
    /// The golden vectors do not have inputs of the plan's size.
    #[error("the golden vectors have {found} bytes of input, the plan takes {expected}")]
    InputLen {
        /// Bytes of a vector's input.
        found: usize,
        /// Bytes of the plan's inputs.
        expected: usize,
    },
}

impl<'a> Package<'a> {
    /// Reads and checks the package at the beginning of `bytes`; what follows it is not looked at,
    /// so that `bytes` may be a whole flash slot.
    ///
    /// # Errors
    /// [`PackageError`] names the first thing that is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PackageError> {
        let header = Header::parse(bytes)?;
        let need = header.total_len();
        let have = bytes.len();
        let bytes = (bytes.get(..need)).ok_or(PackageError::Truncated { need, have })?;
        let (head, golden) = bytes.split_at(header.golden_at());
        if digest(bytes, golden) != header.digest {
            return Err(PackageError::Digest);
        }
        let (plan, padding) = head[HEADER_LEN..].split_at(header.plan_len);
        if padding.iter().any(|&byte| byte != 0) {
            return Err(PackageError::Layout);
        }
        let plan = Plan::parse(plan).map_err(PackageError::Plan)?;
        if plan.digest() != header.plan || plan.len_bytes() != header.plan_len {
            return Err(PackageError::OtherPlan);
        }
        let expected = plan.manifest().inputs.iter().map(Port::len_bytes).sum();
        let found = header.input_len;
        if found != expected {
            return Err(PackageError::InputLen { found, expected });
        }
        Ok(Self {
            header,
            plan,
            golden,
        })
    }

    /// Its header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its plan.
    pub fn plan(&self) -> &Plan<'a> {
        &self.plan
    }

    /// Its plan, for keeps.
    pub fn into_plan(self) -> Plan<'a> {
        self.plan
    }

    /// Its golden vectors, in the order in which they are run.
    pub fn golden(&self) -> impl ExactSizeIterator<Item = Golden<'a>> + use<'a> {
        let input_len = self.header.input_len;
        let vectors = self.golden.chunks_exact(self.header.golden_len());
        vectors.map(move |vector| {
            let (input, digest) = vector.split_at(input_len);
            let mut output = Digest::default();
            output.copy_from_slice(digest);
            Golden { input, output }
        })
    }
}

/// The digest that the header at the beginning of `bytes` must state.
pub(crate) fn digest(bytes: &[u8], golden: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(&bytes[DIGESTED]);
    hash.update(golden);
    hash.finalize().into()
}

/// The digest of a plan's outputs one after another, as golden vectors state it.
pub fn output_digest<'o>(outputs: impl IntoIterator<Item = &'o [u8]>) -> Digest {
    let mut hash = Sha256::new();
    outputs.into_iter().for_each(|output| hash.update(output));
    hash.finalize().into()
}
