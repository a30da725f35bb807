//! Bringing a package to a board, until the board runs its plan for good.
//!
//! A session that breaks on the way is opened again, and the update goes on from what the board has
//! then: a transfer continues, and a board that started anew before it was told to keep the new plan
//! has gone back to the old one and is asked again. Attempts in which nothing new has reached the
//! board are bounded. Nothing here is lost by giving up: the board keeps the plan that it runs.
//!
//! A board that holds results refuses: they belong to the plan that made them. [`update_recorded`]
//! records them first.

mod recorded;

pub use recorded::{RecordedError, update_recorded};

use crate::log::DeviceLog;
use crate::session::{Fault, Session, SessionError};
use microtome_link::message::Identity;
use microtome_link::update::{PlanSource, Update, UpdateRefusal, UpdateState};
use microtome_package::{OwnerKey, PackageBuf, PublicKey};
use microtome_update::{HEADER_LEN, Header, Key, signature::message};
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::sleep;

/// Attempts without any advance after which an update is given up.
pub const ATTEMPTS_MAX: u32 = 6;
/// Pause before a broken session is opened again for the first time; each further one is twice as
/// long.
const PAUSE_MIN: Duration = Duration::from_millis(250);

/// Where sessions with one board come from.
pub trait Port: Send {
    /// Opens the next session; the one before has ended.
    fn open(&mut self) -> impl Future<Output = Result<Session, SessionError>> + Send;
}

/// A board on a serial device.
#[derive(Clone, Debug)]
pub struct SerialPort {
    /// Path of the device.
    pub path: PathBuf,
    /// Bits a second.
    pub baud: u32,
    /// Where its log goes.
    pub log: DeviceLog,
}

impl Port for SerialPort {
    async fn open(&mut self) -> Result<Session, SessionError> {
        Session::open(&self.path, self.baud, self.log.clone()).await
    }
}

/// What an update is at.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The board makes room for the package.
    Preparing,
    /// So many bytes of the package are on the board or on their way.
    Sending {
        /// Bytes.
        bytes: usize,
        /// Bytes of the package.
        of: usize,
    },
    /// The board checks the package and runs its golden vectors.
    Trying,
    /// The board changes to the new plan.
    Activating,
    /// The board is told to keep it.
    Confirming,
    /// The session broke, and is opened again.
    Reopening(&'a SessionError),
}

/// A board that runs the package's plan for good.
#[derive(Clone, Debug)]
pub struct Done {
    /// Who the board is now.
    pub identity: Identity,
    /// How it stands.
    pub state: UpdateState,
    /// What its trial took; `None` where it ran the plan already.
    pub trial: Option<Trial>,
}

/// A trial that a package has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Golden vectors.
    pub vectors: u32,
    /// Ticks of the board's clock for all of them together.
    pub ticks: u64,
}

/// Why a board does not run the package's plan for good, or does not trust another key.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The session broke, and could not be opened again in [`ATTEMPTS_MAX`] attempts.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The board takes no updates.
    #[error("{device}: {board} has no flash for updates: flash the plan")]
    NoFlash {
        /// The user's name of the device.
        device: String,
        /// The board's name.
        board: String,
    },
    /// The board refuses the package, or its new key.
    #[error("{device}: {}", advice(.refusal, .key.as_ref()))]
    Refused {
        /// The user's name of the device.
        device: String,
        /// Why.
        refusal: Box<UpdateRefusal>,
        /// The key that the board trusts.
        key: Option<PublicKey>,
    },
    /// It has changed its plan, and says that it runs another.
    #[error("{device}: the board took the plan but does not run it, and went back: {cause}")]
    NotRunning {
        /// The user's name of the device.
        device: String,
        /// What it says.
        cause: String,
    },
    /// Only the owner of the key that the board trusts may change it.
    #[error("{device}: the board trusts key {key}: only who has its private key can change that")]
    NotTheOwner {
        /// The user's name of the device.
        device: String,
        /// The key that the board trusts.
        key: PublicKey,
    },
}

/// A refusal, and what to do.
fn advice(refusal: &UpdateRefusal, key: Option<&PublicKey>) -> String {
    let key = key.map_or_else(|| "none".to_owned(), ToString::to_string);
    match refusal {
        UpdateRefusal::Unsigned => {
            format!("the package is unsigned, and the board trusts key {key}: sign it with that")
        }
        UpdateRefusal::OtherKey => {
            format!("the package is signed by another key than {key}, which the board trusts")
        }
        UpdateRefusal::Downgrade { from, to } => format!(
            "release {to} is older than {from}, which the board had: pack it with a higher number, \
             or allow the downgrade"
        ),
        UpdateRefusal::Golden { index } => format!(
            "the board's outputs for golden vector {index} are not those that the package states; \
             the board keeps its plan: pack the plan again, or flash the matching firmware"
        ),
        UpdateRefusal::Held { results } => format!(
            "the board holds {results} results that no journal has, and they belong to its plan: \
             record them first"
        ),
        UpdateRefusal::TooLong { bytes, room } => format!(
            "the package has {bytes} bytes, the board has room for {room}: give it fewer golden \
             vectors, or a smaller model"
        ),
        other => other.to_string(),
    }
}

/// Brings `package` to the board at `port`; a release that is lower than the last one is taken
/// where `allow_downgrade` says so. A board that runs the package's plan for good is left alone.
///
/// # Errors
/// [`UpdateError`]; the board runs the plan that it ran before, unless the session broke after the
/// plan was changed.
pub async fn update(
    port: &mut impl Port,
    package: &PackageBuf,
    allow_downgrade: bool,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Done, UpdateError> {
    let mut updater = Updater {
        package: package.bytes(),
        header: *package.package().header(),
        allow_downgrade,
        progress,
        bytes_most: 0,
        attempts: 0,
    };
    let mut session = Some(port.open().await?);
    loop {
        let broken = match session.take() {
            Some(session) => match updater.attempt(session).await {
                Err(UpdateError::Session(error)) => error,
                ended => return ended,
            },
            None => match port.open().await {
                Ok(opened) => {
                    session = Some(opened);
                    continue;
                }
                Err(error) => error,
            },
        };
        updater.attempts += 1;
        if updater.attempts == ATTEMPTS_MAX || !broken.fault.may_pass() {
            return Err(broken.into());
        }
        (updater.progress)(Progress::Reopening(&broken));
        sleep(PAUSE_MIN * 2_u32.pow(updater.attempts - 1)).await;
    }
}

/// How the board at `port` stands with updates.
///
/// # Errors
/// When there is no session, or the board takes no updates.
pub async fn state(port: &mut impl Port) -> Result<(Identity, UpdateState), UpdateError> {
    let session = port.open().await?;
    let state = state_of(&session)?;
    Ok((session.identity().clone(), state))
}

/// Tells the board at `port` to trust `new`, or no key any more, with the private key of the one
/// that it trusts until now, if there is such.
///
/// # Errors
/// [`UpdateError`]; the board trusts the key that it trusted before.
pub async fn trust(
    port: &mut impl Port,
    new: Option<PublicKey>,
    old: Option<&OwnerKey>,
) -> Result<(Identity, UpdateState), UpdateError> {
    let mut session = port.open().await?;
    let state = state_of(&session)?;
    let new = new.map(|key| key.0);
    if state.key == new {
        return Ok((session.identity().clone(), state));
    }
    let none = Key::default();
    let key = new.unwrap_or(none);
    let signature = match state.key {
        None => None,
        Some(trusted) => {
            let owner = old.filter(|owner| owner.public().0 == trusted);
            let owner = owner.ok_or_else(|| UpdateError::NotTheOwner {
                device: session.device().to_owned(),
                key: PublicKey(trusted),
            })?;
            Some(owner.sign(&message::trust(&trusted, &key)))
        }
    };
    let signature = signature.as_ref().map_or(&[][..], |signature| signature);
    change(&mut session, &Update::Trust { key, signature }).await
}

/// Has the board at `port` forget the results that it holds: they are lost.
///
/// # Errors
/// When there is no session, or it breaks.
pub async fn discard(port: &mut impl Port) -> Result<(), SessionError> {
    let mut session = port.open().await?;
    session.stored(u64::MAX).await?;
    session.flush().await
}

/// Has the board at `port` leave a plan that nobody has confirmed for the one before it.
///
/// # Errors
/// [`UpdateError`].
pub async fn abort(port: &mut impl Port) -> Result<(Identity, UpdateState), UpdateError> {
    let mut session = port.open().await?;
    state_of(&session)?;
    change(&mut session, &Update::Abort).await
}

/// Has the board do a step, and introduce itself anew after it.
async fn change(
    session: &mut Session,
    step: &Update<'_>,
) -> Result<(Identity, UpdateState), UpdateError> {
    let changed = session.change(step).await?;
    let state = changed.map_err(|refusal| refused(session, refusal))?;
    Ok((session.introduce().await?.clone(), state))
}

fn state_of(session: &Session) -> Result<UpdateState, UpdateError> {
    let identity = session.identity();
    identity.updates.ok_or_else(|| UpdateError::NoFlash {
        device: session.device().to_owned(),
        board: identity.board.as_str().to_owned(),
    })
}

fn refused(session: &Session, refusal: UpdateRefusal) -> UpdateError {
    let key = session.identity().updates.and_then(|state| state.key);
    UpdateError::Refused {
        device: session.device().to_owned(),
        refusal: Box::new(refusal),
        key: key.map(PublicKey),
    }
}

/// An update under way.
struct Updater<'a> {
    package: &'a [u8],
    header: Header,
    allow_downgrade: bool,
    progress: &'a mut (dyn FnMut(Progress<'_>) + Send),
    /// The most bytes of the package that the board had at the begin of an attempt.
    bytes_most: usize,
    /// Attempts since that grew.
    attempts: u32,
}

impl Updater<'_> {
    /// Does what is left to be done, in one session.
    async fn attempt(&mut self, mut session: Session) -> Result<Done, UpdateError> {
        let mut state = state_of(&session)?;
        let mut trial = None;
        if !self.runs(session.identity(), &state) {
            if !state.is_confirmed {
                // An earlier update, which nobody has brought to its end.
                change(&mut session, &Update::Abort).await?;
            }
            self.send(&mut session).await?;
            (self.progress)(Progress::Trying);
            let tried = session.try_package().await?;
            let (vectors, ticks) = tried.map_err(|refusal| refused(&session, refusal))?;
            trial = Some(Trial { vectors, ticks });
            (self.progress)(Progress::Activating);
            let (identity, activated) = change(&mut session, &Update::Activate).await?;
            self.must_run(&mut session, &identity, &activated).await?;
            state = activated;
        }
        if !state.is_confirmed {
            (self.progress)(Progress::Confirming);
            (_, state) = change(&mut session, &Update::Confirm).await?;
        }
        let identity = session.identity().clone();
        Ok(Done {
            identity,
            state,
            trial,
        })
    }

    /// Whether the board has come by the package's plan as this release of it.
    fn runs(&self, identity: &Identity, state: &UpdateState) -> bool {
        let header = &self.header;
        let from_update = state.source != PlanSource::Factory;
        from_update && identity.plan == header.plan && state.release == header.release
    }

    /// Sends what the board does not have.
    async fn send(&mut self, session: &mut Session) -> Result<(), UpdateError> {
        let (bytes, of) = (self.package, self.package.len());
        (self.progress)(Progress::Preparing);
        let begun = session
            .begin(&bytes[..HEADER_LEN], self.allow_downgrade)
            .await?;
        let from = begun.map_err(|refusal| refused(session, refusal))?;
        if from > of {
            return Err(session
                .error(Fault::Violation("it has more than the package"))
                .into());
        }
        if from > self.bytes_most {
            (self.bytes_most, self.attempts) = (from, 0);
        }
        let progress = &mut self.progress;
        progress(Progress::Sending { bytes: from, of });
        if from == of {
            return Ok(());
        }
        let mut sent = |bytes| progress(Progress::Sending { bytes, of });
        let sent = session.send_package(bytes, from, &mut sent).await?;
        sent.map_err(|refusal| refused(session, refusal))
    }

    /// Fails unless the board says that it runs the package's plan, now that it should.
    async fn must_run(
        &mut self,
        session: &mut Session,
        identity: &Identity,
        state: &UpdateState,
    ) -> Result<(), UpdateError> {
        let cause = match &identity.plan_fault {
            Some(fault) => fault.as_str().to_owned(),
            None if self.runs(identity, state) => return Ok(()),
            None => format!(
                "it runs plan {}",
                microtome_plan::plan::short(&identity.plan)
            ),
        };
        // What can not run is not to wait for the next start of the board to go.
        change(session, &Update::Abort).await?;
        Err(UpdateError::NotRunning {
            device: session.device().to_owned(),
            cause,
        })
    }
}
