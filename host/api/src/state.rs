//! What all requests share.

use crate::config::ApiConfig;
use crate::host::Host;
use crate::hub::Hub;
use crate::metrics::Counted;
use crate::pages::Pages;
use crate::rate::Rate;
use crate::token::Tokens;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub hub: Arc<Hub>,
    pub host: Arc<dyn Host>,
    pub config: ApiConfig,
    pub tokens: Tokens,
    pub rate: Rate,
    pub pages: Pages,
    /// Plans that may be run, and updates that may be received, at a time.
    pub runs: Semaphore,
    /// Streams at a time.
    pub streams: Arc<Semaphore>,
    /// Whether the server ends.
    pub closing: watch::Sender<bool>,
}

impl App {
    pub fn new(config: ApiConfig, tokens: Tokens, hub: Arc<Hub>, host: Arc<dyn Host>) -> Self {
        let limits = &config.limits;
        Self {
            rate: Rate::new(limits),
            pages: Pages::new(hub.journal()),
            runs: Semaphore::new(limits.runs as usize),
            streams: Arc::new(Semaphore::new(limits.streams as usize)),
            closing: watch::Sender::new(false),
            hub,
            host,
            config,
            tokens,
        }
    }

    /// Waits until the server ends.
    pub async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        // The sender is there as long as this is.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// The time that a run, or an answer of a device, may take.
    pub fn run_time_max(&self) -> Duration {
        seconds(self.config.limits.run_timeout_s)
    }
}

/// The connection that a request came on; it counts as one as long as any of these is there.
#[derive(Clone)]
pub(crate) struct Connection {
    pub peer: SocketAddr,
    pub _counted: Arc<Counted>,
    pub _place: Arc<crate::server::Place>,
}

pub(crate) fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}
