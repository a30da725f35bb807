//! `microtome keygen`: a new pair of keys that packages are signed with.

use crate::report;
use anyhow::{Result, ensure};
use microtome_package::{KeyError, OwnerKey};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// Where the private key goes, such as owner.key; the public one goes beside it, as owner.pub
    #[arg(short, long)]
    output: PathBuf,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let (private, public) = (&args.output, args.output.with_extension("pub"));
    ensure!(
        *private != public,
        "{}: the public key has this name: give the private one another",
        private.display()
    );
    if public.exists() {
        return Err(KeyError::Exists { path: public }.into());
    }
    let key = OwnerKey::generate()?;
    key.create(private)?;
    key.public().create(&public)?;
    if json {
        return report::json(&serde_json::json!({
            "private": private, "public": public, "key": key.public().to_string(),
        }));
    }
    report::facts(&[
        (
            "private key",
            format!("{}: keep it secret and safe", private.display()),
        ),
        (
            "public key",
            format!("{}: for `microtome trust`", public.display()),
        ),
        ("key", key.public().to_string()),
    ]);
    Ok(())
}
