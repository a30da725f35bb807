//! `microtome pack`: an update package of a plan.

use crate::commands::run::hex;
use crate::packing;
use crate::report::{self, grouped};
use anyhow::{Context, Result};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// A plan (.mtp), or a package (.mtu) that is to be signed
    plan: PathBuf,
    /// The package to write (.mtu)
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    how: packing::Args,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let package = args.how.package(&args.plan)?;
    let bytes = package.bytes();
    std::fs::write(&args.output, bytes)
        .with_context(|| format!("cannot write the package {}", args.output.display()))?;
    let header = *package.package().header();
    let key = header.signed.map(|(key, _)| hex(&key));
    if json {
        return report::json(&serde_json::json!({
            "package": args.output, "release": header.release, "plan_hash": hex(&header.plan),
            "vectors": header.golden_count, "bytes": bytes.len(), "key": key,
        }));
    }
    report::facts(&[
        (
            "package",
            format!("{}, {} B", args.output.display(), grouped(bytes.len())),
        ),
        ("plan hash", hex(&header.plan)),
        ("release", header.release.to_string()),
        ("golden vectors", header.golden_count.to_string()),
        ("signed by", key.unwrap_or_else(|| "nobody".to_owned())),
    ]);
    Ok(())
}
