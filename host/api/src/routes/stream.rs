//! Results as they become durable, over a WebSocket.
//!
//! The stream reads the journal from where the subscriber is, and waits for the next commit when
//! it has come to the end: there is no queue that could overflow, and no seam between what was
//! recorded before and what is recorded now. Who is slow is behind, no more. Only what retention
//! has removed meanwhile is missed, and is said to be.

use super::results::{first_index, index_before};
use crate::metrics::Counted;
use crate::pages::Filter;
use crate::problem::Problem;
use crate::state::{App, Connection, seconds};
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Extension, Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::future::ready;
use std::sync::Arc;
use tokio::time::{MissedTickBehavior, interval};
use utoipa::IntoParams;

/// Bytes of a message from a subscriber, who has nothing to say.
const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// Results that are read at a time.
const PAGE_LEN: u32 = 256;
/// Pings without a sign of life, after which a subscriber is given up.
const PINGS_MAX: u32 = 3;

/// Which results are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// Only those of this device.
    pub device: Option<String>,
    /// Those behind this index of the journal, -1 being before the first; where it is not said,
    /// those that are recorded from now on.
    #[param(minimum = -1)]
    pub after: Option<i64>,
}

/// Results as they become durable: each a text message as in `/v1/results`, each once, in the
/// order of the journal. `{"missed":N}` stands for records that retention removed before they
/// could be sent.
#[utoipa::path(
    get, path = "/v1/results/stream", tag = "results", security((), ("token" = ["read"])),
    params(StreamQuery),
    responses(
        (status = 101, description = "The connection is a WebSocket now"),
        (status = "4XX", body = Problem),
        (status = 503, body = Problem, description = "There are too many streams"),
    ),
)]
pub(super) async fn stream(
    State(app): State<Arc<App>>,
    Extension(connection): Extension<Connection>,
    query: Result<Query<StreamQuery>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query?;
    let upgrade = upgrade.map_err(|rejection| {
        Problem::request(format!("this is a WebSocket: {}", rejection.body_text()))
    })?;
    let place = Arc::clone(&app.streams).try_acquire_owned();
    let place = place.map_err(|_| Problem::busy("there are too many streams already"))?;
    let end = app.pages.head().await?.next;
    let next = query.after.map_or(Ok(end), first_index)?;
    if next > end {
        return Err(Problem::conflict(format!(
            "the journal's next record is {end}: was `after` noted from another journal?"
        )));
    }
    let counted = Counted::new(&app.hub.metrics.streams);
    let subscriber = Subscriber {
        filter: Filter {
            device: query.device,
            ..Filter::default()
        },
        app,
        next,
        pings: 0,
    };
    let upgrade = upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(async move |socket| {
        let _held = (place, counted, connection);
        subscriber.serve(socket).await;
    }))
}

/// Why a stream ends.
enum End {
    /// The subscriber is gone, or has closed it.
    Gone,
    /// It is closed, and this is why.
    Closed(u16, &'static str),
}

impl From<axum::Error> for End {
    fn from(_: axum::Error) -> Self {
        Self::Gone
    }
}

/// One who gets results.
struct Subscriber {
    app: Arc<App>,
    filter: Filter,
    /// Index of the first record that was not sent.
    next: u64,
    /// Pings since the last sign of life.
    pings: u32,
}

impl Subscriber {
    async fn serve(mut self, mut socket: WebSocket) {
        if let Err(End::Closed(code, reason)) = self.send_all(&mut socket).await {
            let reason = reason.into();
            let close = Message::Close(Some(CloseFrame { code, reason }));
            // Who is gone does not hear it.
            let _ = socket.send(close).await;
        }
    }

    async fn send_all(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let app = Arc::clone(&self.app);
        let mut recorded = app.hub.recorded();
        let mut ping = interval(seconds(app.config.limits.ping_period_s));
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // What is recorded while a page is read and sent makes another one.
            recorded.mark_unchanged();
            let more = self.send_page(socket).await?;
            tokio::select! {
                biased;
                () = app.closed() => {
                    return Err(End::Closed(close_code::AWAY, "the daemon ends"));
                }
                message = socket.recv() => self.hear(message)?,
                _ = ping.tick() => self.ping(socket).await?,
                () = ready(()), if more => {}
                changed = recorded.changed() => {
                    changed.map_err(|_| End::Closed(close_code::AWAY, "the daemon ends"))?;
                }
            }
        }
    }

    /// Sends what the journal has; whether there is more already.
    async fn send_page(&mut self, socket: &mut WebSocket) -> Result<bool, End> {
        let read = self.app.pages.read(self.next, &self.filter, PAGE_LEN);
        let page = read.await.map_err(|problem| {
            tracing::warn!("a stream is closed: {}", problem.detail);
            End::Closed(close_code::AGAIN, "the journal can not be read at present")
        })?;
        if page.missed > 0 {
            let (missed, after) = (page.missed, index_before(self.next + page.missed));
            let said = format!(r#"{{"missed":{missed},"after":{after}}}"#);
            socket.send(Message::text(said)).await?;
        }
        for result in page.results {
            socket.send(Message::text(result)).await?;
        }
        self.next = page.next;
        Ok(page.more)
    }

    fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        match message {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                self.pings = 0;
                Ok(())
            }
            Some(Ok(Message::Text(_) | Message::Binary(_))) => Err(End::Closed(
                close_code::POLICY,
                "a subscriber has nothing to say",
            )),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
        }
    }

    async fn ping(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        if self.pings == PINGS_MAX {
            return Err(End::Closed(close_code::POLICY, "no sign of life"));
        }
        self.pings += 1;
        Ok(socket.send(Message::Ping(Default::default())).await?)
    }
}
