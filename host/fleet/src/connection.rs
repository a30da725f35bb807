//! The connection to the servers, which is kept up for as long as the daemon runs.
//!
//! Nobody waits for it: whoever uses it asks whether it is there. What goes wrong with it is said
//! once, credentials never.

use crate::config::FleetConfig;
use crate::error::FleetError;
use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event};
use std::sync::Mutex;
use std::time::Duration;

/// Pause before the servers are tried again at last.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How often a silent server is asked whether it is there.
const PING_PERIOD: Duration = Duration::from_secs(5);
/// Messages of a subscription that wait to be read at most; what comes beyond is dropped.
const UNREAD_MAX: usize = 1024;
/// How long one attempt takes at most.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Begins to connect.
pub(crate) async fn connect(config: &FleetConfig) -> Result<Client, FleetError> {
    let mut options = ConnectOptions::new()
        .name(format!("microtome {}", config.name))
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(pause)
        .ping_interval(PING_PERIOD)
        .connection_timeout(CONNECT_TIMEOUT)
        .subscription_capacity(UNREAD_MAX)
        .event_callback(teller());
    if let Some(path) = &config.credentials {
        let loaded = options.credentials_file(path).await;
        options = loaded.map_err(|source| FleetError::Credentials {
            path: path.clone(),
            source,
        })?;
    }
    if let (Some(user), Some(password)) = (&config.user, &config.password) {
        options = options.user_and_password(user.clone(), password.reveal().to_owned());
    }
    if let Some(path) = &config.tls_roots {
        options = options.add_root_certificates(path.clone());
    }
    if config.is_tls() {
        options = options.require_tls(true);
    } else {
        // Where these are was not asked of the user.
        options = options.ignore_discovered_servers();
    }
    if let Some(server) = config.plain_server() {
        tracing::warn!(
            "{server} is spoken to without TLS: whoever is on the way can read and change \
             results, questions and answers"
        );
    }
    let client = options.connect(&config.servers).await;
    client.map_err(|error| FleetError::Connect(error.to_string()))
}

/// Whether the server is there.
pub(crate) fn is_connected(client: &Client) -> bool {
    client.connection_state() == State::Connected
}

fn pause(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(6);
    (Duration::from_millis(50) * 2_u32.pow(doublings)).min(RETRY_MAX)
}

/// Says what happens to the connection, but not the same again and again.
fn teller() -> impl Fn(Event) -> std::future::Ready<()> + Send + Sync + 'static {
    let said = Mutex::new(String::new());
    move |event| {
        let text = event.to_string();
        let is_new = said.lock().map(|mut said| {
            let is_new = *said != text;
            said.clone_from(&text);
            is_new
        });
        if is_new.unwrap_or(true) {
            match event {
                Event::Connected => tracing::info!("fleet: connected"),
                _ => tracing::warn!("fleet: {text}"),
            }
        }
        std::future::ready(())
    }
}
