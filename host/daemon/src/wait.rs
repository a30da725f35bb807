//! Waits that may last for ever.

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Waits until the switch is set; for ever where there is none, or nobody who could.
pub(crate) async fn changed(switch: &mut Option<watch::Receiver<bool>>) {
    let Some(switch) = switch else {
        return std::future::pending().await;
    };
    if switch.changed().await.is_err() {
        std::future::pending().await
    }
}

/// Waits until `at`; for ever where there is no such time.
pub(crate) async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
