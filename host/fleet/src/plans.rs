//! Plans, which daemons put into the object store and workers take out of it by their digest.
//!
//! What comes out of the store is as hostile as any file: it is a plan when it parses, and the one
//! that was asked for when its digest is that. A worker keeps the plans that it has fetched in a
//! folder; nobody waits while one is fetched.

use crate::error::FleetError;
use crate::names::PLANS_BUCKET;
use async_nats::jetstream::Context;
use async_nats::jetstream::object_store::{Config, InfoErrorKind, ObjectStore};
use microtome_journal::Hash;
use microtome_plan::{Digest, PlanBuf};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::io::AsyncReadExt as _;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Longest plan that is fetched.
pub const PLAN_LEN_MAX: usize = 256 << 20;
/// Longest arena of a plan of others that is run.
pub const ARENA_LEN_MAX: usize = 1 << 30;
/// Plans of others that are kept in memory.
pub const LOADED_MAX: usize = 8;
/// Plans of others that are kept in the folder.
pub const CACHED_MAX: usize = 64;
/// How long fetching takes at most.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);
/// When a plan that could not be fetched is fetched again.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
/// Digests that are remembered as fetched in vain, or waited for.
const UNAVAILABLE_MAX: usize = 256;

/// Why a plan is not to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPlan {
    #[error("the object store: {0}")]
    Store(String),
    #[error("it has {0} bytes; at most {PLAN_LEN_MAX} are fetched")]
    TooLong(usize),
    #[error("it takes an arena of {0} bytes; at most {ARENA_LEN_MAX} are given")]
    Arena(usize),
    #[error("it is no plan: {0}")]
    Invalid(microtome_plan::PlanError),
    #[error("it is the plan {0}, not the one that its name says")]
    Other(Hash),
    #[error("it did not come in time")]
    Timeout,
}

fn store_error(error: impl std::fmt::Display) -> NoPlan {
    NoPlan::Store(error.to_string())
}

async fn bucket(context: &Context) -> Result<ObjectStore, NoPlan> {
    if let Ok(bucket) = context.get_object_store(PLANS_BUCKET).await {
        return Ok(bucket);
    }
    let config = Config {
        bucket: PLANS_BUCKET.to_owned(),
        description: Some("plans of microtome daemons, by digest".to_owned()),
        ..Config::default()
    };
    let made = context.create_object_store(config).await;
    made.map_err(store_error)
}

/// Puts `plan` into the store, unless it is there or is to be put `anew`.
pub(crate) async fn put(context: &Context, plan: &PlanBuf, anew: bool) -> Result<(), NoPlan> {
    let bucket = bucket(context).await?;
    let name = Hash(plan.digest()).to_string();
    match bucket.info(&name).await {
        Ok(info) if !anew && !info.deleted && info.size == plan.bytes().len() => return Ok(()),
        Ok(_) => {}
        Err(error) if error.kind() == InfoErrorKind::NotFound => {}
        Err(error) => return Err(store_error(error)),
    }
    let put = bucket.put(name.as_str(), &mut plan.bytes()).await;
    put.map(drop).map_err(store_error)
}

/// Takes the plan `digest` out of the store.
async fn get(context: &Context, digest: Digest) -> Result<PlanBuf, NoPlan> {
    let bucket = bucket(context).await?;
    let object = bucket.get(Hash(digest).to_string()).await;
    let object = object.map_err(store_error)?;
    let len = object.info().size;
    if len > PLAN_LEN_MAX {
        return Err(NoPlan::TooLong(len));
    }
    let mut bytes = Vec::with_capacity(len);
    let mut object = object.take(PLAN_LEN_MAX as u64 + 1);
    object.read_to_end(&mut bytes).await.map_err(store_error)?;
    check(&bytes, digest)
}

fn check(bytes: &[u8], digest: Digest) -> Result<PlanBuf, NoPlan> {
    if bytes.len() > PLAN_LEN_MAX {
        return Err(NoPlan::TooLong(bytes.len()));
    }
    let plan = PlanBuf::new(bytes).map_err(NoPlan::Invalid)?;
    if plan.digest() != digest {
        return Err(NoPlan::Other(Hash(plan.digest())));
    }
    let arena = plan.plan().manifest().arena_bytes;
    if arena > ARENA_LEN_MAX {
        return Err(NoPlan::Arena(arena));
    }
    Ok(plan)
}

/// Whether a worker has a plan.
#[derive(Clone, Debug)]
pub(crate) enum Availability {
    Here(Arc<PlanBuf>),
    /// It is being fetched.
    Coming,
    /// It could not be had; it is tried again after a while.
    Missing(Arc<str>),
}

/// The plans of others that a worker has.
#[derive(Clone)]
pub(crate) struct Cache {
    context: Context,
    folder: PathBuf,
    plans: Arc<Mutex<Plans>>,
    /// One is fetched at a time.
    turn: Arc<Semaphore>,
}

#[derive(Default)]
struct Plans {
    /// The one that was used last is last.
    loaded: Vec<Arc<PlanBuf>>,
    unavailable: HashMap<Digest, (Availability, Instant)>,
}

impl Cache {
    pub fn new(context: Context, folder: &Path) -> Result<Self, FleetError> {
        std::fs::create_dir_all(folder).map_err(|source| FleetError::Cache {
            path: folder.to_owned(),
            source,
        })?;
        Ok(Self {
            context,
            folder: folder.to_owned(),
            plans: Arc::default(),
            turn: Arc::new(Semaphore::new(1)),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Plans> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The plan, if it is here; else it is fetched meanwhile.
    pub fn find(&self, digest: Digest) -> Availability {
        let mut plans = self.lock();
        let loaded = &mut plans.loaded;
        if let Some(at) = loaded.iter().position(|plan| plan.digest() == digest) {
            let plan = loaded.remove(at);
            loaded.push(Arc::clone(&plan));
            return Availability::Here(plan);
        }
        match plans.unavailable.get(&digest) {
            Some((Availability::Missing(_), since)) if since.elapsed() >= RETRY_PAUSE => {}
            Some((availability, _)) => return availability.clone(),
            None if plans.unavailable.len() < UNAVAILABLE_MAX => {}
            None => {
                let is_coming =
                    |(availability, _): &_| matches!(availability, Availability::Coming);
                plans.unavailable.retain(|_, entry| is_coming(entry));
                if plans.unavailable.len() >= UNAVAILABLE_MAX {
                    return Availability::Missing("too many plans are asked for".into());
                }
            }
        }
        let coming = (Availability::Coming, Instant::now());
        plans.unavailable.insert(digest, coming);
        tokio::spawn(self.clone().fetch(digest));
        Availability::Coming
    }

    async fn fetch(self, digest: Digest) {
        // The semaphore is never closed.
        let _turn = self.turn.acquire().await;
        let found = match self.cached(digest).await {
            Some(plan) => Ok(plan),
            None => {
                let got = timeout(FETCH_TIMEOUT, get(&self.context, digest)).await;
                got.unwrap_or(Err(NoPlan::Timeout))
            }
        };
        let found = match found {
            Ok(plan) => {
                if let Err(error) = self.keep(&plan).await {
                    let folder = self.folder.display();
                    tracing::warn!("fleet: a plan can not be kept in {folder}: {error}");
                }
                Ok(Arc::new(plan))
            }
            Err(why) => {
                tracing::warn!("fleet: the plan {} is not to be had: {why}", Hash(digest));
                Err(why.to_string().into())
            }
        };
        let mut plans = self.lock();
        match found {
            Ok(plan) => {
                plans.unavailable.remove(&digest);
                if plans.loaded.len() >= LOADED_MAX {
                    plans.loaded.remove(0);
                }
                plans.loaded.push(plan);
            }
            Err(why) => {
                let missing = (Availability::Missing(why), Instant::now());
                plans.unavailable.insert(digest, missing);
            }
        }
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{}.mtp", Hash(digest)))
    }

    /// The plan in the folder, if it is there and whole.
    async fn cached(&self, digest: Digest) -> Option<PlanBuf> {
        let bytes = tokio::fs::read(self.path(digest)).await.ok()?;
        check(&bytes, digest).ok()
    }

    /// Writes a plan into the folder, whole or not at all, and removes the oldest ones.
    async fn keep(&self, plan: &PlanBuf) -> io::Result<()> {
        let path = self.path(plan.digest());
        let part = path.with_extension("part");
        tokio::fs::write(&part, plan.bytes()).await?;
        tokio::fs::rename(&part, &path).await?;
        let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in self.folder.read_dir()? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|it| it == "mtp") {
                files.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        files.sort();
        let surplus = files.len().saturating_sub(CACHED_MAX);
        files[..surplus]
            .iter()
            .try_for_each(|(_, path)| std::fs::remove_file(path))
    }
}
