//! `microtome token`: makes a token for the daemon's HTTP API.

use crate::report;
use anyhow::Result;
use microtome_api::{Scope, token};
use serde::Serialize;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// A name of it, by which the daemon's log calls its owner
    #[arg(long)]
    name: String,
    /// What it permits: read (see devices and results), run (run plans, switch acquisition and
    /// offload), update (change what a board runs); several with commas
    #[arg(long, required = true, value_delimiter = ',')]
    scope: Vec<Scope>,
    /// The file that gets its hash, as `tokens` in the section [api] of the configuration names it
    #[arg(long, default_value = "tokens.toml")]
    file: PathBuf,
}

#[derive(Serialize)]
struct Json<'a> {
    name: &'a str,
    token: &'a str,
    file: &'a PathBuf,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let (name, file) = (&args.name, &args.file);
    let token = token::add(file, name, &args.scope)?;
    if json {
        return report::json(&Json {
            name,
            token: &token,
            file,
        });
    }
    println!("{token}");
    eprintln!(
        "This is shown once. {} has its hash; a daemon reads it when it starts.",
        file.display()
    );
    Ok(())
}
