//! The service: a task for each instrument, and what they share.
//!
//! An instrument that vanishes, restarts, is busy or silent is tried again, after [`RETRY_MIN`] at
//! first and [`RETRY_MAX`] at last; the others do not notice. While the journal's disk is full or
//! fails, nothing is acknowledged and boards hold their results and wait; see `microtome-journal`.
//! What there is to do with other daemons is done beside, and holds nothing up; see
//! `microtome-fleet`.

use crate::build::build;
use crate::config::{Config, DeviceConfig};
use crate::hub::{self, Line, Shared};
use crate::instrument::{AcquireError, Instrument, Services};
use crate::latency;
use crate::locate::locate;
use crate::log::{DeviceLog, LogError};
use crate::others::Others;
use crate::plans::{Plans, PlansError};
use crate::session::{Fault, Session, SessionError};
use crate::stop::{Stop, stop};
use crate::update::{Progress, SerialPort, update_recorded};
use microtome_api::{ApiError, Command, CommandError, Counts, Device, Request, Server};
use microtome_backend::BackendError;
use microtome_fleet::FleetError;
use microtome_journal::{Journal, JournalError};
use microtome_ledger::{Ledger, WINDOW_DEFAULT};
use microtome_package::PackageBuf;
use microtome_plan::PlanBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

/// Pause before a device is tried again for the first time.
pub const RETRY_MIN: Duration = Duration::from_millis(250);
/// Pause before it is tried again at last.
pub const RETRY_MAX: Duration = Duration::from_secs(10);
/// A session that lasted as long was a good one: the next pause is short again.
const GOOD_SESSION: Duration = Duration::from_secs(30);

/// Why a daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// A plan could not be loaded.
    #[error(transparent)]
    Plans(#[from] PlansError),
    /// A heavier model's executor could not be opened.
    #[error(transparent)]
    Executor(#[from] BackendError),
    /// An ELF file decodes no log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The journal can not be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The daemon can not have to do with others as is configured.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The API can not be opened.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Clients are to run a model of which there is no plan.
    #[error("api.run: no plan of model {model:?} is listed in `plans`")]
    NoModel {
        /// The model.
        model: String,
    },
    /// A task of the daemon panicked.
    #[error("a task of the daemon broke down: {0}")]
    Task(tokio::task::JoinError),
}

/// Runs a daemon until every device has acquired its frames or `stop` is wished, and returns what
/// all of them acquired.
///
/// # Errors
/// [`DaemonError`]; results that were received are in the journal.
pub async fn run(config: &Config, mut stop_wished: Stop) -> Result<Counts, DaemonError> {
    tracing::info!("daemon {}", build());
    let mut others = Others::join(config).await?;
    let plans = Plans::load(&config.plans)?.keeping(config.journal.with_extension("plans"))?;
    let offered = offered(config, &plans)?;
    let services = Arc::new(services(config, plans, &offered, &mut others).await?);
    let (hub, lines) = hub::hub(config, &services, build());
    let server = match &config.api {
        None => None,
        Some(api) => {
            let shared = Arc::new(Shared::new(&services, offered));
            Some(Server::bind(api, Arc::new(hub), shared).await?)
        }
    };
    let mut logs = Vec::new();
    for device in &config.devices {
        logs.push(match &device.elf {
            Some(elf) => DeviceLog::with_elf(&device.name, elf)?,
            None => DeviceLog::new(&device.name),
        });
    }
    let (stopper, stop) = stop();
    let mut of_server = stop.clone();
    let serving =
        server.map(|server| tokio::spawn(server.serve(async move { of_server.wished().await })));
    let mut tasks = JoinSet::new();
    for ((device, log), line) in config.devices.iter().cloned().zip(logs).zip(lines) {
        tasks.spawn(attend(
            device,
            log,
            Arc::clone(&services),
            line,
            stop.clone(),
        ));
    }
    if config.serves() {
        let mut stop = stop.clone();
        tasks.spawn(async move {
            stop.wished().await;
            Ok(Counts::default())
        });
    }
    let mut outcome = Ok(Counts::default());
    let (mut window, mut latency) = (interval(WINDOW_DEFAULT), latency::Log::default());
    loop {
        tokio::select! {
            ended = tasks.join_next() => match (ended, &mut outcome) {
                (None, _) => break,
                (Some(Ok(Ok(summary))), Ok(total)) => *total += summary,
                (Some(Ok(Err(error))), Ok(_)) => outcome = Err(error.into()),
                (Some(Err(error)), Ok(_)) => outcome = Err(DaemonError::Task(error)),
                (Some(_), Err(_)) => {}
            },
            _ = window.tick() => latency.tell(&services.ledger),
            () = stop_wished.wished(), if !stop.is_wished() => stopper.stop(),
        }
        if outcome.is_err() {
            stopper.stop();
        }
    }
    stopper.stop();
    match (serving, &outcome) {
        (Some(serving), Ok(_)) => serving.await.map_err(DaemonError::Task)?,
        // What the API has under way is given up.
        (Some(serving), Err(_)) => serving.abort(),
        (None, _) => {}
    }
    others.leave(&services.journal).await;
    outcome
}

/// The plans that executors are opened for: those that boards ask, and those that clients may run.
fn offered(config: &Config, plans: &Plans) -> Result<Vec<Arc<PlanBuf>>, DaemonError> {
    let mut offered = plans.heavier();
    if offered.is_empty() {
        tracing::info!("no plan names a heavier model that is listed: boards answer alone");
    }
    for model in config.api.iter().flat_map(|api| &api.run) {
        let plan = plans.of_model(model);
        let plan = plan.ok_or_else(|| DaemonError::NoModel {
            model: model.clone(),
        })?;
        if !offered.iter().any(|known| known.digest() == plan.digest()) {
            offered.push(plan);
        }
    }
    Ok(offered)
}

/// What the devices share.
async fn services(
    config: &Config,
    plans: Plans,
    offered: &[Arc<PlanBuf>],
    others: &mut Others,
) -> Result<Services, DaemonError> {
    let journal = Journal::open(&config.journal, config.retention.into())?;
    others.publish(config, &journal)?;
    let offload = match offered.is_empty() && !config.serves() {
        true => None,
        false => others.offload(config, offered.to_vec()).await?,
    };
    Ok(Services {
        plans,
        offload,
        journal,
        ledger: Arc::new(Ledger::default()),
    })
}

/// Keeps one device acquiring, session after session.
async fn attend(
    device: DeviceConfig,
    log: DeviceLog,
    services: Arc<Services>,
    mut line: Line,
    mut stop: Stop,
) -> Result<Counts, JournalError> {
    let told = Arc::clone(&line.device);
    let mut total = Total::default();
    let mut pause = RETRY_MIN;
    while !stop.is_wished() {
        if let Some(request) = line.next() {
            told.trying("its plan is being updated".to_owned());
            tokio::select! {
                () = carry_out(request, &device, &log, &services) => {}
                // The board keeps the plan that it has, or goes back to it at its next start.
                () = stop.wished() => {}
            }
            continue;
        }
        if !line.is_to_acquire() {
            told.idle();
            tokio::select! {
                () = line.until_acquire(true) => {}
                () = stop.wished() => {}
            }
            continue;
        }
        let begun = Instant::now();
        let (stopper, mut session_stop) = self::stop();
        let ended = tokio::select! {
            ended = acquire(&device, &log, &services, &told, &mut session_stop, &mut total) => ended,
            never = line.mind(&mut stop, &stopper) => match never {},
        };
        match ended {
            Ok(()) if line.has_next() => {}
            Ok(()) if !line.is_to_acquire() => {
                tracing::info!(device = device.name, "acquisition is switched off");
            }
            Ok(()) => {
                tracing::info!(device = device.name, summary = ?total.summary, "acquisition ended");
                break;
            }
            Err(AcquireError::Journal(error)) => return Err(error),
            Err(error) => {
                if begun.elapsed() >= GOOD_SESSION {
                    pause = RETRY_MIN;
                }
                tracing::warn!("{error}; next attempt in {} ms", pause.as_millis());
                told.trying(error.to_string());
                tokio::select! {
                    () = sleep(pause) => pause = (pause * 2).min(RETRY_MAX),
                    () = line.until_acquire(false) => {}
                    () = stop.wished() => {}
                }
            }
        }
    }
    told.ended();
    Ok(total.summary)
}

/// Does what the device is asked to do in place of acquiring.
async fn carry_out(
    request: Request,
    device: &DeviceConfig,
    log: &DeviceLog,
    services: &Arc<Services>,
) {
    let Command::Update(package) = request.command;
    let outcome = update(&package, device, log, services).await;
    match &outcome {
        Ok(done) => tracing::info!(device = device.name, "updated: {done}"),
        Err(error) => tracing::warn!(device = device.name, "not updated: {error}"),
    }
    // Who asked may have gone.
    let _ = request.reply.send(outcome);
}

/// The error of whoever asked for what failed with `error`.
fn refused(error: impl std::error::Error) -> CommandError {
    CommandError::Refused(error.to_string())
}

/// Brings an update package to the device's board; says in one line what it runs now.
async fn update(
    package: &[u8],
    device: &DeviceConfig,
    log: &DeviceLog,
    services: &Arc<Services>,
) -> Result<String, CommandError> {
    let package = PackageBuf::new(package).map_err(refused)?;
    let path = locate(&device.place(), microtome_board::devices).map_err(refused)?;
    let mut port = SerialPort {
        path,
        baud: device.baud,
        log: log.clone(),
    };
    let calibration = device.calibration.clone();
    let mut quiet = |_: Progress<'_>| ();
    let done = update_recorded(
        &mut port,
        &package,
        false,
        services,
        calibration,
        &mut quiet,
    );
    let done = done.await.map_err(refused)?;
    let plan = microtome_plan::plan::short(&done.identity.plan);
    Ok(format!(
        "the board runs release {}, plan {} of model {}",
        done.state.release,
        plan.as_str(),
        done.identity.model
    ))
}

/// What a device acquired in all of its sessions.
#[derive(Default)]
struct Total {
    summary: Counts,
    /// The start of the board in the session before, and frames that had no result when it broke.
    /// They are lost if the board has started again since.
    open: Option<(u64, u64)>,
}

/// One session of a device; what it acquired is added to `total`, however it ends.
async fn acquire(
    device: &DeviceConfig,
    log: &DeviceLog,
    services: &Arc<Services>,
    told: &Device,
    stop: &mut Stop,
    total: &mut Total,
) -> Result<(), AcquireError> {
    let path = locate(&device.place(), microtome_board::devices).map_err(|error| SessionError {
        device: device.name.clone(),
        fault: Fault::Unplaced(error),
    })?;
    let session = Session::open(&path, device.baud, log.clone()).await?;
    let identity = session.identity();
    tracing::info!(
        device = device.name,
        board = identity.board.as_str(),
        firmware = identity.firmware.as_str(),
        model = identity.model.as_str(),
        plan = microtome_plan::plan::short(&identity.plan).as_str(),
        "connected"
    );
    told.acquiring(hub::board(&session));
    let boot = identity.boot;
    if let Some((_, lost)) = total.open.take_if(|(before, _)| *before != boot) {
        total.summary.lost += lost;
        services.ledger.lose(&device.name, lost);
        told.lost(lost);
    }
    let mut instrument = Instrument::new(session, Arc::clone(services))
        .calibrated(device.calibration.clone())
        .keeping(device.frames.keep)
        .switched(Some(told.offload()));
    let ended = instrument
        .acquire(device.acquisition.into(), stop, &mut |record| {
            told.recorded(record);
        })
        .await;
    told.lost(instrument.summary().lost);
    total.summary += instrument.summary();
    total.open = Some((boot, instrument.open_frames()));
    ended
}
