//! The plans that the daemon knows: those of the boards, to read their answers and to see whom
//! they ask, and the heavier ones that answer. A plan that an update brought to a board is added, and
//! kept in a folder for the daemon's next start.

use microtome_plan::{Digest, PlanBuf, PlanError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// Longest plan file that is read.
const PLAN_LEN_MAX: u64 = 1 << 30;

/// A set of plans. Of two with the same model the first is the one that its name means.
#[derive(Debug, Default)]
pub struct Plans {
    plans: RwLock<Vec<Arc<PlanBuf>>>,
    /// Where plans that are added are kept.
    folder: Option<PathBuf>,
}

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
        Ok(plans.into())
    }

    /// The same with the plans that were kept in `folder`, if it is there, and with those kept there
    /// that are added from here on.
    ///
    /// # Errors
    /// As [`Plans::load`].
    pub fn keeping(mut self, folder: PathBuf) -> Result<Self, PlansError> {
        if folder.is_dir() {
            for file in files(&folder)? {
                self.insert(read(&file)?);
            }
        }
        self.folder = Some(folder);
        Ok(self)
    }

    /// Adds a plan. Where it can not be kept, it is known until the daemon ends.
    pub fn add(&self, plan: PlanBuf) {
        if let Some(folder) = &self.folder
            && let Err(error) = keep(folder, &plan)
        {
            let folder = folder.display();
            tracing::warn!("cannot keep a plan in {folder}: {error}; list it under `plans`");
        }
        self.insert(plan);
    }

    fn insert(&self, plan: PlanBuf) {
        let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        if plans.iter().all(|known| known.digest() != plan.digest()) {
            plans.push(Arc::new(plan));
        }
    }

    fn plans(&self) -> RwLockReadGuard<'_, Vec<Arc<PlanBuf>>> {
        self.plans.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The plan with this identity.
    pub fn with_digest(&self, digest: &Digest) -> Option<Arc<PlanBuf>> {
        let plans = self.plans();
        plans.iter().find(|plan| plan.digest() == *digest).cloned()
    }

    /// The plan whose identity begins so.
    pub fn with_prefix(&self, prefix: &[u8]) -> Option<Arc<PlanBuf>> {
        let plans = self.plans();
        let mut plans = plans.iter();
        plans
            .find(|plan| plan.digest().starts_with(prefix))
            .cloned()
    }

    /// The first plan of this model.
    pub fn of_model(&self, model: &str) -> Option<Arc<PlanBuf>> {
        let plans = self.plans();
        let mut plans = plans.iter();
        plans
            .find(|plan| plan.plan().manifest().model == model)
            .cloned()
    }

    /// The plans that another one's cascade names, each once.
    pub fn heavier(&self) -> Vec<Arc<PlanBuf>> {
        let mut heavier: Vec<Arc<PlanBuf>> = Vec::new();
        let plans = self.plans().clone();
        for plan in &plans {
            let asked = plan.plan().manifest().cascade;
            let Some(found) = asked.and_then(|cascade| self.of_model(cascade.model)) else {
                continue;
            };
            if !heavier.iter().any(|known| known.digest() == found.digest()) {
                heavier.push(found);
            }
        }
        heavier
    }
}

impl From<Vec<Arc<PlanBuf>>> for Plans {
    fn from(plans: Vec<Arc<PlanBuf>>) -> Self {
        Self {
            plans: RwLock::new(plans),
            folder: None,
        }
    }
}

impl FromIterator<PlanBuf> for Plans {
    fn from_iter<T: IntoIterator<Item = PlanBuf>>(plans: T) -> Self {
        plans.into_iter().map(Arc::new).collect::<Vec<_>>().into()
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

/// Writes the plan into `folder`, whole or not at all.
fn keep(folder: &Path, plan: &PlanBuf) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let name: String = plan
        .digest()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let path = folder.join(name).with_extension("mtp");
    if path.exists() {
        return Ok(());
    }
    let part = path.with_extension("part");
    let mut file = std::fs::File::create(&part)?;
    file.write_all(plan.bytes())?;
    file.sync_all()?;
    std::fs::rename(part, path)
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
