//! `microtome update`: brings a plan to a board over its serial line.

use crate::packing;
use crate::report::{Progress, grouped};
use crate::updatable::{self, CliPort, State};
use anyhow::{Context, Error, Result};
use microtome_daemon::update::{
    self, Done, Progress as Step, RecordedError, UpdateError, update_recorded,
};
use microtome_daemon::{Plans, Services};
use microtome_journal::{Journal, Retention};
use microtome_link::update::UpdateRefusal;
use microtome_package::PackageBuf;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Runtime;

#[derive(clap::Args)]
pub struct Args {
    /// A plan (.mtp), or a package of one (.mtu)
    #[arg(required_unless_present_any = ["state", "abort"])]
    plan: Option<PathBuf>,
    #[command(flatten)]
    board: updatable::Args,
    #[command(flatten)]
    how: packing::Args,
    /// Take a release that is older than the one the board had
    #[arg(long)]
    allow_downgrade: bool,
    /// Record results that the board holds in this journal, before its plan is changed
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Lose results that the board holds
    #[arg(long, conflicts_with = "journal")]
    discard_results: bool,
    /// Only say how the board stands
    #[arg(long, conflicts_with = "plan")]
    state: bool,
    /// Have the board leave a plan that nobody has confirmed for the one before it
    #[arg(long, conflicts_with_all = ["plan", "state"])]
    abort: bool,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let runtime = Runtime::new()?;
    let mut port = args.board.port()?;
    let (identity, state) = match &args.plan {
        Some(plan) => {
            let package = args.how.package(plan)?;
            let progress = Progress::spinner("update");
            let done = runtime.block_on(bring(args, &mut port, &package, &progress))?;
            drop(progress);
            tell(&done, json);
            (done.identity, done.state)
        }
        None if args.abort => runtime.block_on(update::abort(&mut port))?,
        None => runtime.block_on(update::state(&mut port))?,
    };
    State::new(&identity, &state).print(json)
}

async fn bring(
    args: &Args,
    port: &mut CliPort,
    package: &PackageBuf,
    progress: &Progress,
) -> Result<Done> {
    let mut say = |step: Step<'_>| match step {
        Step::Sending { bytes, of } => {
            progress.say(&format!("{} of {} bytes", grouped(bytes), grouped(of)));
        }
        Step::Preparing => progress.say("the board makes room"),
        Step::Trying => progress.say("the board tries the plan"),
        Step::Activating => progress.say("the board changes its plan"),
        Step::Confirming => progress.say("the board keeps its plan"),
        Step::Reopening(error) => eprintln!("note: {error}; going on"),
    };
    let may_downgrade = args.allow_downgrade;
    if let Some(journal) = &args.journal {
        let services = Arc::new(recording(journal)?);
        let done = update_recorded(port, package, may_downgrade, &services, None, &mut say).await;
        return done.map_err(|error| match error {
            RecordedError::Update(error) => hint(error),
            error => error.into(),
        });
    }
    match update::update(port, package, may_downgrade, &mut say).await {
        Err(error) if args.discard_results && held(&error).is_some() => {
            update::discard(port).await?;
            let results = held(&error).unwrap_or_default();
            eprintln!("note: {results} results that the board held are lost, as you asked");
            let done = update::update(port, package, may_downgrade, &mut say).await;
            done.map_err(hint)
        }
        done => done.map_err(hint),
    }
}

/// What recording needs.
fn recording(journal: &Path) -> Result<Services> {
    let of = || format!("cannot record in {}", journal.display());
    Ok(Services {
        plans: Plans::default(),
        offload: None,
        journal: Journal::open(journal, Retention::default()).with_context(of)?,
        ledger: Arc::default(),
    })
}

/// Results that the board holds, where that is what is wrong.
fn held(error: &UpdateError) -> Option<u32> {
    match error {
        UpdateError::Refused { refusal, .. } => match **refusal {
            UpdateRefusal::Held { results } => Some(results),
            _ => None,
        },
        _ => None,
    }
}

/// The error, with the option that helps.
fn hint(error: UpdateError) -> Error {
    let option = match &error {
        UpdateError::Refused { refusal, .. } => match **refusal {
            UpdateRefusal::Held { .. } => "--journal FILE, or lose them with --discard-results",
            UpdateRefusal::Downgrade { .. } => "--allow-downgrade",
            UpdateRefusal::Unsigned | UpdateRefusal::OtherKey => "--key FILE",
            _ => return error.into(),
        },
        _ => return error.into(),
    };
    anyhow::anyhow!("{error} ({option})")
}

/// Says what was done, before how the board stands then.
fn tell(done: &Done, json: bool) {
    let text = match done.trial {
        None => "the board ran this release already".to_owned(),
        Some(trial) => format!(
            "the board gave the same bits for {} golden vectors, and runs the plan",
            trial.vectors
        ),
    };
    if json {
        eprintln!("{text}");
    } else {
        println!("{text}");
    }
}
