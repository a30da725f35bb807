//! Many daemons, by a NATS server: results go into a stream, and daemons without a GPU ask those
//! that have one. By an MQTT broker, results only.
//!
//! Results: `feed` (the journal's records as messages), `place` (where a stream goes on) and
//! `stream` (into JetStream), or [`mqtt`]. Questions: [`wire`] (what is said), [`remote`] (the
//! executor that asks), `worker` (who answers) with its `pool` of executors, and [`plans`] (which
//! go by the object store). [`names`] has the subjects, [`config`] what users set.
//!
//! A server that is away, slow or hostile costs nothing but what it would have done: results wait
//! in the journal, questions are answered by the daemon's own executor. Which executor runs a plan
//! on this computer is left to the daemon.
#![deny(missing_docs)]

pub mod config;
mod connection;
mod error;
mod feed;
pub mod mqtt;
pub mod names;
mod place;
pub mod plans;
mod pool;
pub mod remote;
pub mod stream;
pub mod wire;
mod worker;

pub use config::{FleetConfig, MqttConfig, OffloadPolicy};
pub use error::FleetError;
pub use feed::Progress;
pub use pool::Open;
pub use remote::RemoteBackend;

use async_nats::Client;
use async_nats::jetstream::Context;
use feed::Feed;
use microtome_backend::Backend;
use microtome_journal::Journal;
use microtome_plan::PlanBuf;
use names::Names;
use plans::Cache;
use pool::Pool;
use remote::Asker;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::sleep;
use worker::Worker;

/// The name of the outbox of results for the stream.
const OUTBOX: &str = "nats";
/// Pause before plans that could not be put into the store are tried again.
const PUT_RETRY: Duration = Duration::from_secs(5);

/// A daemon's part in a fleet. What it does ends when it is dropped.
pub struct Fleet {
    config: FleetConfig,
    client: Client,
    context: Context,
    names: Names,
    tasks: JoinSet<()>,
}

impl Fleet {
    /// Begins to connect to the servers of `config`; that they are away is no error.
    ///
    /// # Errors
    /// When what is configured can not be used.
    pub async fn join(config: &FleetConfig) -> Result<Self, FleetError> {
        let client = connection::connect(config).await?;
        Ok(Self {
            config: config.clone(),
            context: async_nats::jetstream::new(client.clone()),
            client,
            names: Names {
                site: config.site.clone(),
                daemon: config.name.clone(),
            },
            tasks: JoinSet::new(),
        })
    }

    /// Publishes the results of `journal`, those that wait there and all that come.
    ///
    /// # Errors
    /// When they are published already.
    pub fn publish(&mut self, journal: &Journal) -> Result<Progress, FleetError> {
        let feed = Feed::open(journal, OUTBOX)?;
        let progress = feed.progress();
        let publisher = stream::Publisher::new(self.client.clone(), self.names.clone(), feed);
        self.tasks.spawn(publisher.run());
        Ok(progress)
    }

    /// Puts plans into the object store, so that workers can run them.
    pub fn offer(&mut self, plans: Vec<Arc<PlanBuf>>) {
        let context = self.context.clone();
        self.tasks.spawn(async move {
            for plan in plans {
                let mut is_said = false;
                while let Err(why) = plans::put(&context, &plan, false).await {
                    if !is_said {
                        tracing::warn!("fleet: a plan is not in the store yet: {why}");
                        is_said = true;
                    }
                    sleep(PUT_RETRY).await;
                }
            }
        });
    }

    /// Answers the questions of others with executors that `open` opens.
    ///
    /// # Errors
    /// When the folder for plans or the executors' thread can not be had.
    pub fn serve(&mut self, open: Box<Open>) -> Result<(), FleetError> {
        let cache = Cache::new(self.context.clone(), &self.config.cache)?;
        let pool = Pool::start(self.config.queue, open).map_err(FleetError::Thread)?;
        let worker = Worker::new(self.client.clone(), self.names.clone(), cache, pool);
        self.tasks.spawn(worker.run());
        Ok(())
    }

    /// Ends all that is done for others, and waits until it has.
    pub async fn leave(mut self) {
        self.tasks.shutdown().await;
    }

    /// What opens executors that ask others; they run on the runtime that this is called in.
    pub fn opener(&self) -> Opener {
        Opener(Asker {
            client: self.client.clone(),
            context: self.context.clone(),
            names: self.names.clone(),
            runtime: Handle::current(),
        })
    }
}

/// Opens executors that ask others.
#[derive(Clone)]
pub struct Opener(Asker);

impl Opener {
    /// An executor of `plan`; `local` and its name is the one that answers where no other does.
    pub fn open(&self, plan: PlanBuf, local: (Box<dyn Backend>, String)) -> RemoteBackend {
        RemoteBackend::new(self.0.clone(), plan, local)
    }
}

/// Publishes the results of `journal` to an MQTT broker, until the set is dropped.
///
/// # Errors
/// When they are published already.
pub fn publish_by_mqtt(
    tasks: &mut JoinSet<()>,
    config: &MqttConfig,
    journal: &Journal,
) -> Result<Progress, FleetError> {
    let publisher = mqtt::Publisher::new(config, journal)?;
    let progress = publisher.progress();
    tasks.spawn(publisher.run());
    Ok(progress)
}
