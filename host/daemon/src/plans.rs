//! The plans that the daemon knows: those of the boards, to read their answers and to see whom
//! they ask, and the heavier ones that answer.

use microtome_plan::{Digest, PlanBuf, PlanError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest plan file that is read.
const PLAN_LEN_MAX: u64 = 1 << 30;

/// A set of plans. Of two with the same model the first is the one that its name means.
#[derive(Clone, Debug, Default)]
pub struct Plans(Vec<Arc<PlanBuf>>);

/// Why a plan could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum PlansError {
    /// The file or folder can not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is too long to be a plan.
    #[error("{}: {len} bytes are more than a plan has", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        len: u64,
    },
    /// The file is no plan that this build runs.
    #[error("{}: {source}", path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: PlanError,
    },
}

impl Plans {
    /// Loads plan files; of a folder, every `.mtp` file in it, by name.
    ///
    /// # Errors
    /// [`PlansError`] names the first file that is not a valid plan.
    pub fn load(paths: &[PathBuf]) -> Result<Self, PlansError> {
        let mut plans = Vec::new();
        for path in paths {
            for file in files(path)? {
                plans.push(Arc::new(read(&file)?));
            }
        }
        Ok(Self(plans))
    }

    /// The plan with this identity.
    pub fn with_digest(&self, digest: &Digest) -> Option<&Arc<PlanBuf>> {
        self.0.iter().find(|plan| plan.digest() == *digest)
    }

    /// The plan whose identity begins so.
    pub fn with_prefix(&self, prefix: &[u8]) -> Option<&Arc<PlanBuf>> {
        self.0.iter().find(|plan| plan.digest().starts_with(prefix))
    }

    /// The first plan of this model.
    pub fn of_model(&self, model: &str) -> Option<&Arc<PlanBuf>> {
        self.0
            .iter()
            .find(|plan| plan.plan().manifest().model == model)
    }

    /// The plans that another one's cascade names, each once.
    pub fn heavier(&self) -> Vec<Arc<PlanBuf>> {
        let mut heavier: Vec<Arc<PlanBuf>> = Vec::new();
        for plan in &self.0 {
            let asked = plan.plan().manifest().cascade;
            let Some(found) = asked.and_then(|cascade| self.of_model(cascade.model)) else {
                continue;
            };
            if !heavier.iter().any(|known| known.digest() == found.digest()) {
                heavier.push(Arc::clone(found));
            }
        }
        heavier
    }
}

impl FromIterator<PlanBuf> for Plans {
    fn from_iter<T: IntoIterator<Item = PlanBuf>>(plans: T) -> Self {
        Self(plans.into_iter().map(Arc::new).collect())
    }
}

/// `path` itself, or the plan files in it.
fn files(path: &Path) -> Result<Vec<PathBuf>, PlansError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let read_error = |source| PlansError::Read {
        path: path.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(read_error)? {
        let file = entry.map_err(read_error)?.path();
        if file.extension().is_some_and(|extension| extension == "mtp") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<PlanBuf, PlansError> {
    let read_error = |source| PlansError::Read {
        path: path.to_owned(),
        source,
    };
    let len = path.metadata().map_err(read_error)?.len();
    if len > PLAN_LEN_MAX {
        return Err(PlansError::TooLong {
            path: path.to_owned(),
            len,
        });
    }
    let bytes = std::fs::read(path).map_err(read_error)?;
    PlanBuf::new(&bytes).map_err(|source| PlansError::Plan {
        path: path.to_owned(),
        source,
    })
}
