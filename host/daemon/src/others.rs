//! What the daemon has to do with other daemons and with brokers, as its configuration says; see
//! `microtome-fleet`.

use crate::config::Config;
use crate::daemon::DaemonError;
use crate::executor::Executors;
use crate::offload::Offload;
use microtome_backend::Backend;
use microtome_fleet::{Fleet, FleetError, OffloadPolicy, Progress, publish_by_mqtt};
use microtome_journal::Journal;
use microtome_plan::PlanBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinSet, spawn_blocking};

/// How long results are still passed on when all else has ended.
const PASS_ON_TIMEOUT: Duration = Duration::from_secs(2);

/// What the daemon has to do with others.
#[derive(Default)]
pub(crate) struct Others {
    fleet: Option<Fleet>,
    mqtt: JoinSet<()>,
    publishing: Vec<Progress>,
}

impl Others {
    pub async fn join(config: &Config) -> Result<Self, FleetError> {
        let mut others = Self::default();
        if let Some(fleet) = &config.fleet {
            others.fleet = Some(Fleet::join(fleet).await?);
        }
        Ok(others)
    }

    /// Begins to publish what the journal has.
    pub fn publish(&mut self, config: &Config, journal: &Journal) -> Result<(), FleetError> {
        if let Some(fleet) = &mut self.fleet
            && config.fleet.as_ref().is_some_and(|fleet| fleet.publish)
        {
            self.publishing.push(fleet.publish(journal)?);
        }
        if let Some(mqtt) = &config.mqtt {
            let progress = publish_by_mqtt(&mut self.mqtt, mqtt, journal)?;
            self.publishing.push(progress);
        }
        Ok(())
    }

    /// Lets the last results go out, and ends; what does not stays in the journal until the next
    /// start.
    pub async fn leave(mut self, journal: &Journal) {
        for progress in &mut self.publishing {
            if !progress.wait(journal, PASS_ON_TIMEOUT).await {
                tracing::warn!("results wait in the journal to be published by the next daemon");
            }
        }
        self.mqtt.shutdown().await;
        if let Some(fleet) = self.fleet {
            fleet.leave().await;
        }
    }

    /// What answers questions: those of the boards, about `heavier` models, and those of others.
    pub async fn offload(
        &mut self,
        config: &Config,
        heavier: Vec<Arc<PlanBuf>>,
    ) -> Result<Option<Offload>, DaemonError> {
        let mut executors = Executors::choose(config.gpu);
        let mut asker = None;
        if let (Some(fleet), Some(of)) = (&mut self.fleet, &config.fleet) {
            fleet.offer(heavier.clone());
            if of.offload == OffloadPolicy::Auto && executors.gpu().is_none() {
                asker = Some(fleet.opener());
            }
            if of.serve {
                let mut executors = executors.clone();
                fleet.serve(Box::new(move |plan| executors.open(plan)))?;
            }
        }
        let asked = if asker.is_some() {
            "the fleet, else on "
        } else {
            ""
        };
        tracing::info!("heavier models run on {asked}{}", executors.name());
        if heavier.is_empty() {
            return Ok(None);
        }
        let queue = config.queue;
        let open = move |plan: &PlanBuf| {
            let local = executors.open(plan)?;
            let Some(asker) = &asker else {
                return Ok(local);
            };
            let asking: Box<dyn Backend> = Box::new(asker.open(plan.clone(), local));
            let name = asking.name();
            Ok((asking, name))
        };
        // An executor's first run takes its time.
        let started = spawn_blocking(move || Offload::start(&heavier, queue, open)).await;
        Ok(Some(started.map_err(DaemonError::Task)??))
    }
}
