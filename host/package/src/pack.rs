//! From a plan and inputs to a package.

use crate::key::OwnerKey;
use microtome_backend::{Backend as _, BackendError, CpuBackend, Inputs};
use microtome_plan::{Op, PlanBuf};
use microtome_update::package::output_digest;
use microtome_update::{Golden, HEADER_LEN, Header, Package, PackageError, write};

/// A valid package, with the bytes that it is.
#[derive(Clone, Debug)]
pub struct PackageBuf {
    /// The words make the alignment that plans want.
    words: Vec<u128>,
    header: Header,
}

/// Why there is no package of a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The plan has an operator that boards do not have.
    #[error("boards run no plan that computes in float (operator {operator}): quantize the model")]
    Float {
        /// Name of the first such operator.
        operator: &'static str,
    },
    /// An input does not fit the plan, or the executor failed.
    #[error(transparent)]
    Executor(#[from] BackendError),
    /// There is no input, or there are too many or too long ones for a package.
    #[error("no package holds {samples} golden vectors of this plan")]
    Samples {
        /// Golden vectors that were to be.
        samples: usize,
    },
}

/// The unsigned package of `plan` that boards take as release `release`. Its golden vectors are
/// `samples` with the outputs that this computer's processor gives for them, as runs one after another.
///
/// # Errors
/// [`PackError`]; nothing is wrong with a plan that a board could run and inputs that fit it.
pub fn pack(plan: &PlanBuf, release: u64, samples: &[Inputs<'_>]) -> Result<PackageBuf, PackError> {
    let names = plan.plan().steps().map(|step| step.op.name());
    if let Some(operator) = names
        .into_iter()
        .find(|name| Op::NAMES_FLOAT.contains(name))
    {
        return Err(PackError::Float { operator });
    }
    let outputs = CpuBackend::new(plan.clone()).run(samples)?;
    let inputs: Vec<Vec<u8>> = samples.iter().map(|inputs| inputs.concat()).collect();
    let golden: Vec<_> = (inputs.iter().zip(&outputs))
        .map(|(input, outputs)| Golden {
            input,
            output: output_digest(outputs.iter().map(Vec::as_slice)),
        })
        .collect();
    // What is left to be wrong is the number of the vectors or their length together.
    let samples = samples.len();
    let bytes =
        write::encode(release, plan, &golden).map_err(|_| PackError::Samples { samples })?;
    PackageBuf::new(&bytes).map_err(|_| PackError::Samples { samples })
}

impl PackageBuf {
    /// Copies and validates the package in `bytes`, which must hold nothing else. Whether a board
    /// takes it is for the board to say.
    ///
    /// # Errors
    /// [`PackageError`]; bytes that follow the package are [`PackageError::Layout`].
    pub fn new(bytes: &[u8]) -> Result<Self, PackageError> {
        let header = Header::parse(bytes)?;
        if bytes.len() > header.total_len() {
            return Err(PackageError::Layout);
        }
        let mut words = vec![0_u128; bytes.len().div_ceil(size_of::<u128>())];
        let copy = &mut bytemuck::cast_slice_mut::<u128, u8>(&mut words)[..bytes.len()];
        copy.copy_from_slice(bytes);
        Package::parse(copy)?;
        Ok(Self { words, header })
    }

    /// Its header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its bytes, as a `.mtu` file holds them.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.header.total_len()]
    }

    /// A copy of its plan.
    pub fn plan(&self) -> PlanBuf {
        let bytes = &self.bytes()[HEADER_LEN..][..self.header.plan_len];
        PlanBuf::new(bytes).expect("validated when the package was")
    }

    /// The same, signed with `key` in place of any signature that it had.
    pub fn signed(mut self, key: &OwnerKey) -> Self {
        let bytes = bytemuck::cast_slice_mut::<u128, u8>(&mut self.words);
        let signed = write::sign(bytes, &key.public().0, |message| key.sign(message));
        signed.expect("it begins with its header");
        self.header = Header::parse(bytes).expect("a signature leaves the rest as it is");
        self
    }
}
