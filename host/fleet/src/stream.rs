//! Results into a JetStream stream: each once, in the journal's order, without a gap.
//!
//! The server checks of each message that it follows the one before
//! (`Nats-Expected-Last-Sequence`), so that many can be under way at a time and still none is
//! stored twice, out of turn, or after one that was not stored. After anything unexpected
//! [`place`](crate::place) finds out anew where the stream ends. What is not acknowledged is in the
//! journal; nobody else notices when the server is away.

use crate::connection::is_connected;
use crate::error::PublishError;
use crate::feed::{Feed, Item};
use crate::names::{HASH, INDEX, Names};
use crate::place::{self, Mark, Tail};
use async_nats::Client;
use async_nats::jetstream::context::{Context, ContextBuilder, PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, RawMessageErrorKind, StorageType, Stream};
use microtome_journal::{Cursor, Hash};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

/// Messages under way at most.
pub const WINDOW: usize = 256;
/// A server that has not answered by then does not answer.
const SERVER_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is looked whether the connection is still the same, where no results come.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// Pause before what failed is tried again for the first time.
const RETRY_MIN: Duration = Duration::from_millis(50);
/// Pause at last.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How often it is said again that the server is away.
const REMIND_PERIOD: Duration = Duration::from_secs(60);

/// Publishes one journal.
pub(crate) struct Publisher {
    client: Client,
    context: Context,
    names: Names,
    feed: Feed,
}

/// A message that is not acknowledged.
struct Sent {
    index: u64,
    hash: Hash,
    /// Its number in the stream.
    sequence: u64,
    ack: PublishAckFuture,
}

impl Publisher {
    pub fn new(client: Client, names: Names, feed: Feed) -> Self {
        let context = ContextBuilder::new()
            .timeout(SERVER_TIMEOUT)
            .ack_timeout(SERVER_TIMEOUT)
            .build(client.clone());
        Self {
            client,
            context,
            names,
            feed,
        }
    }

    /// Publishes for as long as it is polled.
    pub async fn run(mut self) {
        let mut pause = RETRY_MIN;
        let mut said: Option<(String, Instant)> = None;
        loop {
            let before = self.feed.cursor().next;
            let Err(error) = self.publish().await;
            if self.feed.cursor().next > before {
                (pause, said) = (RETRY_MIN, None);
            }
            let text = error.to_string();
            let is_new = said.as_ref().is_none_or(|(before, _)| *before != text);
            // The first failure is often the server's short absence.
            let is_due = |(_, at): &(String, Instant)| at.elapsed() >= REMIND_PERIOD;
            if pause > RETRY_MIN && (is_new || said.as_ref().is_some_and(is_due)) {
                self.tell(&text);
                said = Some((text, Instant::now()));
            }
            sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    /// Says that results wait, and how many.
    fn tell(&self, text: &str) {
        let next = self.feed.cursor().next;
        match block_in_place(|| self.feed.known(next)) {
            Ok(known) => {
                let waiting = known
                    .indexes
                    .end
                    .saturating_sub(next.max(known.indexes.start));
                let removed = known.indexes.start.saturating_sub(next);
                tracing::warn!("fleet: {waiting} results wait in the journal: {text}");
                if removed > 0 {
                    tracing::error!(
                        "fleet: the journal's bytes_max has removed {removed} results that were \
                         not published"
                    );
                }
            }
            Err(error) => tracing::warn!("fleet: results wait in the journal: {text}; {error}"),
        }
    }

    /// Publishes until something fails.
    async fn publish(&mut self) -> Result<std::convert::Infallible, PublishError> {
        if !is_connected(&self.client) {
            return Err(PublishError::NotConnected);
        }
        let connects = self.connects();
        let stream = self.stream().await?;
        let tail = tail(&stream).await?;
        let index = tail.last.map_or(u64::MAX, |(index, _)| index);
        let known = block_in_place(|| self.feed.known(index))?;
        let cursor = self.feed.cursor();
        let next = place::next(&tail, &cursor, &known)
            .map_err(|place::Foreign| PublishError::TwoDaemons(self.names.stream()))?;
        if cursor.next > next {
            tracing::warn!(
                "fleet: the server has lost results, or the stream is a new one: the journal's \
                 go there again from {next} on"
            );
        }
        self.follow(next, tail, connects).await
    }

    /// The stream, which is made where there is none; its limits are the user's to set.
    async fn stream(&self) -> Result<Stream, PublishError> {
        let (name, subject) = (self.names.stream(), self.names.results("*"));
        let config = Config {
            name: name.clone(),
            description: Some("results of a microtome daemon".to_owned()),
            subjects: vec![subject.clone()],
            storage: StorageType::File,
            ..Config::default()
        };
        let stream = self.context.get_or_create_stream(config).await;
        let stream = stream.map_err(|error| server("the stream", &error))?;
        if !stream.cached_info().config.subjects.contains(&subject) {
            return Err(PublishError::ForeignStream {
                stream: name,
                subject,
            });
        }
        Ok(stream)
    }

    /// Publishes from the result `next` on, which comes after the message that `tail` ends with,
    /// for as long as the connection lasts: a server that was away may have lost messages.
    async fn follow(
        &mut self,
        mut next: u64,
        tail: Tail,
        connects: u64,
    ) -> Result<std::convert::Infallible, PublishError> {
        let mut sequence = tail.sequence;
        let mut sent = VecDeque::new();
        loop {
            let items = block_in_place(|| self.feed.read(next))?;
            if let Some(first) = items.first()
                && first.index > next
            {
                tracing::error!(
                    "fleet: results {next} to {} were removed from the journal before they were \
                     published",
                    first.index - 1
                );
            }
            let is_all = items.is_empty();
            for item in items {
                if sent.len() >= WINDOW {
                    self.settle(&mut sent, &tail.created).await?;
                }
                next = item.index + 1;
                sent.push_back(self.send(item, sequence).await?);
                sequence += 1;
            }
            if is_all {
                while !sent.is_empty() {
                    self.settle(&mut sent, &tail.created).await?;
                }
                while !self.feed.more(LOOK_PERIOD).await {
                    if self.connects() != connects || !is_connected(&self.client) {
                        return Err(PublishError::NotConnected);
                    }
                }
            }
        }
    }

    /// How often the connection was made.
    fn connects(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// Sends a result that is to come right after the message `last`.
    async fn send(&self, item: Item, last: u64) -> Result<Sent, PublishError> {
        let subject = self.names.results(&item.device);
        let message = PublishMessage::build()
            .message_id(&item.id)
            .expected_last_sequence(last)
            .header(INDEX, item.index.to_string())
            .header(HASH, item.hash.to_string())
            .payload(item.body.into());
        let ack = self.context.send_publish(subject, message).await;
        Ok(Sent {
            index: item.index,
            hash: item.hash,
            sequence: last + 1,
            ack: ack.map_err(|error| server("a result", &error))?,
        })
    }

    /// Waits for the acknowledgement of the oldest message under way.
    async fn settle(&self, sent: &mut VecDeque<Sent>, created: &str) -> Result<(), PublishError> {
        let Some(oldest) = sent.pop_front() else {
            return Ok(());
        };
        let ack = oldest.ack.await.map_err(|error| match error.kind() {
            PublishErrorKind::BrokenPipe => PublishError::NotConnected,
            _ => server("a result", &error),
        })?;
        let (index, expected, found) = (oldest.index, oldest.sequence, ack.sequence);
        if found != expected {
            return Err(PublishError::Misplaced {
                index,
                expected,
                found,
            });
        }
        let mark = Mark {
            created: created.to_owned(),
            sequence: found,
            hash: oldest.hash,
        };
        self.feed.advance(Cursor {
            next: index + 1,
            mark: serde_json::to_string(&mark).unwrap_or_default(),
        });
        Ok(())
    }
}

/// Where the stream ends.
async fn tail(stream: &Stream) -> Result<Tail, PublishError> {
    let info = stream.get_info().await;
    let info = info.map_err(|error| server("the stream's state", &error))?;
    let sequence = info.state.last_sequence;
    let mut last = None;
    if info.state.messages > 0 {
        last = match stream.get_raw_message(sequence).await {
            Ok(message) => {
                let header = |name: &str| message.headers.get(name).map(|value| value.as_str());
                let index = header(INDEX).and_then(|index| index.parse().ok());
                let hash = header(HASH).and_then(|hash| hash.parse().ok());
                // What has none is no result of any journal.
                Some(
                    index
                        .zip(hash)
                        .unwrap_or((u64::MAX, Hash::of(&message.payload))),
                )
            }
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => None,
            Err(error) => return Err(server("the stream's last message", &error)),
        };
    }
    Ok(Tail {
        created: info.created.to_string(),
        sequence,
        last,
    })
}

fn server(what: &'static str, error: &dyn std::error::Error) -> PublishError {
    let cause = error.to_string();
    PublishError::Server { what, cause }
}
