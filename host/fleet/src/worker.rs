//! Answers the questions of other daemons.
//!
//! Workers form a queue group: the server gives each question to one of them. One that has no
//! room, or not yet the plan, says so at once, so that another one can be asked.

use crate::error::FleetError;
use crate::names::{Names, WORKERS, plan_of};
use crate::plans::{Availability, Cache};
use crate::pool::{NotRun, Pool, Ran};
use crate::wire::{HEADERS_LEN_MAX, Status, answer_headers, wait_of};
use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use microtome_plan::Digest;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::sleep;

/// Pause before the subjects are subscribed to again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What the subjects begin with to which answers go.
const INBOX: &str = "_INBOX.";

/// A daemon that answers.
pub(crate) struct Worker {
    client: Client,
    names: Names,
    cache: Cache,
    pool: Pool,
}

impl Worker {
    pub fn new(client: Client, names: Names, cache: Cache, pool: Pool) -> Self {
        Self {
            client,
            names,
            cache,
            pool,
        }
    }

    /// Answers for as long as it is polled.
    pub async fn run(self) {
        let worker = Arc::new(self);
        loop {
            match worker.subscribe().await {
                Ok(questions) => worker.clone().listen(questions).await,
                Err(error) => tracing::warn!("fleet: questions do not come: {error}"),
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    async fn subscribe(&self) -> Result<Subscriber, FleetError> {
        let subject = self.names.run_any();
        let subscribed = self
            .client
            .queue_subscribe(subject, WORKERS.to_owned())
            .await;
        subscribed.map_err(|error| FleetError::Connect(error.to_string()))
    }

    /// Until the client ends. A lost connection is no end: the client subscribes again by itself.
    async fn listen(self: Arc<Self>, mut questions: Subscriber) {
        while let Some(question) = questions.next().await {
            let Some(digest) = plan_of(&question.subject) else {
                continue;
            };
            match self.take(&question, digest) {
                Ok(answer) => {
                    // As many of these as the pool's queue has room for.
                    let worker = Arc::clone(&self);
                    tokio::spawn(async move {
                        let ran = answer.await.unwrap_or(Err(NotRun::Full));
                        worker.answer(question, &digest, ran).await;
                    });
                }
                Err((status, why)) => self.decline(question, &digest, status, &why).await,
            }
        }
    }

    /// Has the question run, or says why not.
    fn take(
        &self,
        question: &Message,
        digest: Digest,
    ) -> Result<oneshot::Receiver<Ran>, (Status, String)> {
        let Some(wait) = wait_of(question) else {
            return Err((Status::Refused, "it does not say how long it waits".into()));
        };
        let deadline = Instant::now() + wait;
        let plan = match self.cache.find(digest) {
            Availability::Here(plan) => plan,
            Availability::Coming => return Err((Status::Busy, "the plan is coming".into())),
            Availability::Missing(why) => return Err((Status::NoPlan, why.to_string())),
        };
        let taken = self.pool.submit(plan, question.payload.clone(), deadline);
        taken.map_err(|why| declined(&why))
    }

    async fn answer(&self, question: Message, digest: &Digest, ran: Ran) {
        let (outputs, executor) = match ran {
            Ok(answer) => answer,
            Err(why) => {
                let (status, why) = declined(&why);
                return self.decline(question, digest, status, &why).await;
            }
        };
        let payload = Bytes::from(outputs.concat());
        if payload.len() + HEADERS_LEN_MAX > self.client.max_payload() {
            let why = "the answer is longer than a message";
            return self.decline(question, digest, Status::Refused, why).await;
        }
        self.reply(question, digest, Status::Done, &executor, payload)
            .await;
    }

    async fn decline(&self, question: Message, digest: &Digest, status: Status, why: &str) {
        self.reply(question, digest, status, why, Bytes::new())
            .await;
    }

    async fn reply(
        &self,
        question: Message,
        digest: &Digest,
        status: Status,
        executor: &str,
        payload: Bytes,
    ) {
        // Anywhere else, the answer would be said with the worker's rights, not the asker's.
        let inbox = question.reply.filter(|reply| reply.starts_with(INBOX));
        let Some(inbox) = inbox else {
            return;
        };
        let headers = answer_headers(status, digest, &self.names.daemon, executor);
        let sent = self.client.publish_with_headers(inbox, headers, payload);
        if let Err(error) = sent.await {
            // The asker's time passes, and it asks elsewhere.
            tracing::debug!("fleet: an answer was not sent: {error}");
        }
    }
}

fn declined(why: &NotRun) -> (Status, String) {
    match why {
        NotRun::Full => (Status::Busy, "there is no room".to_owned()),
        NotRun::Late => (Status::Late, "its time has passed".to_owned()),
        NotRun::Len { expected, found } => {
            let text = format!("it has {found} bytes, the plan takes {expected}");
            (Status::Refused, text)
        }
        NotRun::Executor(error) => (Status::Refused, error.to_string()),
    }
}
