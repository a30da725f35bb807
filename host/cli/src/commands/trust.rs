//! `microtome trust`: the key whose signature a board wants from now on.

use crate::updatable::{self, State};
use anyhow::Result;
use microtome_daemon::update;
use microtome_package::{OwnerKey, PublicKey};
use std::path::PathBuf;
use tokio::runtime::Runtime;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    board: updatable::Args,
    /// The public key that the board is to trust
    #[arg(long, value_name = "FILE", required_unless_present = "none")]
    key: Option<PathBuf>,
    /// Take the key away: the board takes unsigned packages again
    #[arg(long, conflicts_with = "key")]
    none: bool,
    /// The private key of the one that it trusts until now, where it has one
    #[arg(long, value_name = "FILE")]
    old: Option<PathBuf>,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let new = args.key.as_deref().map(PublicKey::read).transpose()?;
    let old = args.old.as_deref().map(OwnerKey::read).transpose()?;
    let mut port = args.board.port()?;
    let trusted = update::trust(&mut port, new, old.as_ref());
    let (identity, state) = Runtime::new()?.block_on(trusted)?;
    State::new(&identity, &state).print(json)
}
