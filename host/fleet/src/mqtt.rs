//! Results to an MQTT broker, thin: each at least once, in the journal's order, with QoS 1.
//!
//! MQTT has nothing by which a publisher could learn what a broker has. So what was not
//! acknowledged when a connection broke, or the daemon was killed, goes out again; a message's
//! index and hash tell a receiver that it knows it already.

use crate::config::{MqttConfig, is_loopback};
use crate::error::FleetError;
use crate::feed::{Feed, Item, Progress};
use microtome_journal::{Cursor, Journal, JournalError};
use rumqttc::{AsyncClient, ConnectionError, Event, MqttOptions, Outgoing, Packet, QoS};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

/// The outbox's name.
const OUTBOX: &str = "mqtt";
/// Messages under way at most.
pub const WINDOW: u16 = 64;
/// Longest message, and longest packet that a broker may send.
pub const PACKET_LEN_MAX: usize = 1 << 20;
/// How often a silent broker is asked whether it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Pause before a broker is tried again for the first time.
const RETRY_MIN: Duration = Duration::from_millis(100);
/// Pause at last.
const RETRY_MAX: Duration = Duration::from_secs(10);
/// How often it is said again that the broker is away.
const REMIND_PERIOD: Duration = Duration::from_secs(60);

/// Publishes one journal.
pub(crate) struct Publisher {
    config: MqttConfig,
    feed: Feed,
}

/// Why results are not passed on at present.
#[derive(Debug, thiserror::Error)]
enum MqttError {
    #[error("{0}")]
    Connection(Box<ConnectionError>),
    #[error("the client does not take a message: {0}")]
    Client(Box<rumqttc::ClientError>),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the broker acknowledges what it was not sent, or out of turn")]
    Order,
}

impl From<ConnectionError> for MqttError {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(Box::new(error))
    }
}

impl From<rumqttc::ClientError> for MqttError {
    fn from(error: rumqttc::ClientError) -> Self {
        Self::Client(Box::new(error))
    }
}

/// A message that is not acknowledged.
struct Sent {
    index: u64,
    /// Its number on the connection, once it is on its way.
    packet: Option<u16>,
}

impl Publisher {
    pub fn new(config: &MqttConfig, journal: &Journal) -> Result<Self, FleetError> {
        if !is_loopback(&config.host) {
            tracing::warn!(
                "mqtt: {} is spoken to without TLS: whoever is on the way can read and change \
                 results",
                config.host
            );
        }
        Ok(Self {
            config: config.clone(),
            feed: Feed::open(journal, OUTBOX)?,
        })
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.feed.progress()
    }

    /// Publishes for as long as it is polled.
    pub async fn run(mut self) {
        let mut pause = RETRY_MIN;
        let mut said: Option<Instant> = None;
        loop {
            let before = self.feed.cursor().next;
            let Err(error) = self.publish().await;
            if self.feed.cursor().next > before {
                (pause, said) = (RETRY_MIN, None);
            }
            if said.is_none_or(|said| said.elapsed() >= REMIND_PERIOD) {
                tracing::warn!("mqtt: results wait in the journal: {error}");
                said = Some(Instant::now());
            }
            sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    fn options(&self) -> MqttOptions {
        let MqttConfig { host, port, .. } = &self.config;
        let mut options = MqttOptions::new(&self.config.client, host, *port);
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_inflight(WINDOW)
            .set_max_packet_size(PACKET_LEN_MAX, PACKET_LEN_MAX);
        if let (Some(user), Some(password)) = (&self.config.user, &self.config.password) {
            options.set_credentials(user, password.reveal());
        }
        options
    }

    /// Publishes on one connection, until that fails.
    async fn publish(&mut self) -> Result<std::convert::Infallible, MqttError> {
        let (client, mut events) = AsyncClient::new(self.options(), usize::from(WINDOW));
        while !matches!(events.poll().await?, Event::Incoming(Packet::ConnAck(_))) {}
        let mut next = self.feed.cursor().next;
        let mut sent = VecDeque::new();
        let mut items = VecDeque::new();
        loop {
            if items.is_empty() {
                items.extend(block_in_place(|| self.feed.read(next))?);
            }
            while sent.len() < usize::from(WINDOW)
                && let Some(item) = items.pop_front()
            {
                (next, _) = (item.index + 1, self.send(&client, &mut sent, item).await?);
            }
            if sent.is_empty() {
                tokio::select! {
                    _ = self.feed.more(KEEP_ALIVE) => {}
                    event = events.poll() => self.settle(&mut sent, event?)?,
                }
            } else {
                self.settle(&mut sent, events.poll().await?)?;
            }
        }
    }

    async fn send(
        &self,
        client: &AsyncClient,
        sent: &mut VecDeque<Sent>,
        item: Item,
    ) -> Result<(), MqttError> {
        let topic = format!("{}/{}", self.config.topic, item.device);
        // There is room for as many as are under way.
        let published = client.publish(topic, QoS::AtLeastOnce, false, item.body);
        published.await?;
        let (index, packet) = (item.index, None);
        sent.push_back(Sent { index, packet });
        Ok(())
    }

    /// Takes an event in.
    fn settle(&self, sent: &mut VecDeque<Sent>, event: Event) -> Result<(), MqttError> {
        match event {
            Event::Outgoing(Outgoing::Publish(packet)) => {
                let waiting = sent.iter_mut().find(|sent| sent.packet.is_none());
                waiting.ok_or(MqttError::Order)?.packet = Some(packet);
            }
            Event::Incoming(Packet::PubAck(ack)) => {
                let oldest = sent.pop_front();
                let oldest = oldest.filter(|sent| sent.packet == Some(ack.pkid));
                let next = oldest.ok_or(MqttError::Order)?.index + 1;
                let mark = String::new();
                self.feed.advance(Cursor { next, mark });
            }
            _ => {}
        }
        Ok(())
    }
}
