//! From a plan and what the owner says of it to a package, as `pack` and `update` do it.

use crate::array;
use crate::commands::run::samples;
use crate::executor::{borrowed, to_arena};
use crate::model::{self, Model};
use anyhow::{Context, Result, bail, ensure};
use microtome_package::{OwnerKey, PackageBuf, golden, pack, sign};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Golden vectors where the user does not say how many.
const VECTORS: u64 = 4;
/// What samples are called that lie beside a plan.
const SHIPPED: &str = "golden.npz";

/// What the owner says of a package.
#[derive(clap::Args)]
#[group(skip)]
pub struct Args {
    /// The owner's private key, to sign with
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The release, higher is newer; seconds since 1970 otherwise
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    release: Option<u64>,
    /// Samples for the golden vectors, as for `run --input`; golden.npz beside the plan or
    /// pseudo-random ones otherwise
    #[arg(long, value_name = "FILE")]
    golden: Option<PathBuf>,
    /// Golden vectors at most
    #[arg(long, value_name = "N", default_value_t = VECTORS,
        value_parser = clap::value_parser!(u64).range(1..=65_536))]
    vectors: u64,
}

impl Args {
    /// The package in the file at `path`, or one of the plan there; signed where there is a key.
    pub fn package(&self, path: &Path) -> Result<PackageBuf> {
        let package = if model::is_package(path) {
            ensure!(
                self.release.is_none() && self.golden.is_none(),
                "{} is a package already: --release and --golden are for plans (.mtp)",
                path.display()
            );
            model::read_package(path)?
        } else if model::is_plan(path) {
            self.pack(path)?
        } else {
            bail!(
                "{} is neither a plan nor a package: `microtome compile` makes plans (.mtp)",
                path.display()
            );
        };
        let key = self.key.as_deref().map(OwnerKey::read).transpose()?;
        Ok(match key {
            Some(key) => sign(&package, &key),
            None => package,
        })
    }

    fn pack(&self, path: &Path) -> Result<PackageBuf> {
        let model = Model::load(path)?;
        let release = self.release.map_or_else(now, Ok)?;
        let vectors = self.vectors as usize;
        let shipped = path.with_file_name(SHIPPED);
        let inputs = match &self.golden {
            Some(file) => to_arena(&model, &samples(&model, file)?)?,
            None => match shipped_samples(&model, &shipped)? {
                Some(samples) => to_arena(&model, &samples)?,
                None => golden::pseudo_random(&model.plan.plan(), vectors),
            },
        };
        let inputs = &inputs[..inputs.len().min(vectors)];
        let of = || path.display().to_string();
        pack(&model.plan, release, &borrowed(inputs)).with_context(of)
    }
}

/// The samples that were shipped beside the plan; those of another model are no concern of it.
fn shipped_samples(model: &Model, path: &Path) -> Result<Option<Vec<array::Sample>>> {
    if !path.is_file() {
        return Ok(None);
    }
    match samples(model, path) {
        Ok(samples) => Ok(Some(samples)),
        Err(error) => {
            eprintln!("note: {} is not for this plan: {error:#}", path.display());
            Ok(None)
        }
    }
}

/// Seconds since 1970.
fn now() -> Result<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = since.context("the clock is before 1970: give --release")?;
    Ok(since.as_secs().max(1))
}
