//! The wish to end, as everything that runs for long hears it.

use tokio::sync::watch;

/// Wishes the end; when it is dropped, the end is never wished.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Hears the wish to end.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// A wish that can be uttered, and its hearer.
pub fn stop() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Wishes the end.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Wishes the end on Ctrl-C and on SIGTERM.
    ///
    /// # Errors
    /// When the system does not tell of them.
    pub fn on_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
            let (mut signal, stopper) = (signal(kind)?, self.clone());
            tokio::spawn(async move {
                while signal.recv().await.is_some() {
                    stopper.stop();
                }
            });
        }
        Ok(())
    }
}

impl Stop {
    /// Whether the end is wished.
    pub fn is_wished(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the end is wished.
    pub async fn wished(&mut self) {
        if self.0.wait_for(|wished| *wished).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
