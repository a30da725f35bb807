//! An update that records first what the board holds.

use super::{Done, Port, Progress, UpdateError, update};
use crate::instrument::{AcquireError, Instrument, Services};
use microtome_journal::Calibration;
use microtome_link::update::UpdateRefusal;
use microtome_package::{PackageBuf, plan_of};
use std::sync::Arc;

/// Why an update that records first was not done.
#[derive(Debug, thiserror::Error)]
pub enum RecordedError {
    /// The update.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// What the board holds could not be recorded.
    #[error("what the board holds could not be recorded: {0}")]
    Record(#[from] AcquireError),
}

/// As [`update`], of a board that does not acquire: results that it holds are recorded, with
/// `calibration`, before its plan is changed, and the new plan is one that the services know.
///
/// Who acquires from the board opens a new session after this, and with it learns who the board is
/// now.
///
/// # Errors
/// [`RecordedError`]; the board holds what is not recorded.
pub async fn update_recorded(
    port: &mut impl Port,
    package: &PackageBuf,
    allow_downgrade: bool,
    services: &Arc<Services>,
    calibration: Option<Calibration>,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Done, RecordedError> {
    let done = match update(port, package, allow_downgrade, progress).await {
        Err(UpdateError::Refused { refusal, .. })
            if matches!(*refusal, UpdateRefusal::Held { .. }) =>
        {
            let session = port.open().await.map_err(UpdateError::from)?;
            let mut instrument =
                Instrument::new(session, Arc::clone(services)).calibrated(calibration);
            let results = instrument.drain().await?;
            let device = instrument.session().device();
            tracing::info!(
                device,
                results,
                "recorded what the board held, for an update"
            );
            // Its session ends here, so that the next one can begin.
            drop(instrument);
            update(port, package, allow_downgrade, progress).await
        }
        ended => ended,
    };
    // A board whose session broke may run the new plan by now.
    if matches!(done, Ok(_) | Err(UpdateError::Session(_))) {
        services.plans.add(plan_of(package));
    }
    Ok(done?)
}
