//! From a plan and inputs to a package, and back.

use crate::key::OwnerKey;
use microtome_backend::{Backend as _, BackendError, CpuBackend, Inputs};
use microtome_plan::{Op, PlanBuf};
use microtome_update::package::output_digest;
use microtome_update::write::{self, PackageBuf};
use microtome_update::{Golden, HEADER_LEN};

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

/// The same package, signed with `key` in place of any signature that it had.
pub fn sign(package: &PackageBuf, key: &OwnerKey) -> PackageBuf {
    let mut bytes = package.bytes().to_vec();
    let signed = write::sign(&mut bytes, &key.public().0, |message| key.sign(message));
    signed.expect("it begins with its header");
    PackageBuf::new(&bytes).expect("a signature leaves the rest as it is")
}

/// A copy of the plan in `package`.
pub fn plan_of(package: &PackageBuf) -> PlanBuf {
    let header = *package.package().header();
    let bytes = &package.bytes()[HEADER_LEN..][..header.plan_len];
    PlanBuf::new(bytes).expect("it was checked when the package was")
}
