//! What this daemon is to its HTTP API: the devices with what they are told, and the executors.

use crate::config::Config;
use crate::instrument::Services;
use crate::offload::{HostAnswer, NoAnswer, Priority, Question};
use crate::record::{answer_record, unit};
use crate::session::Session;
use crate::stop::{Stop, Stopper};
use microtome_api::host::Running;
use microtome_api::{Board, Device, Host, Hub, NoRun, Ran, Request, Wanted};
use microtome_journal::Hash;
use microtome_plan::PlanBuf;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// A device's end of the hub.
pub(crate) struct Line {
    pub device: Arc<Device>,
    requests: mpsc::Receiver<Request>,
    /// What the device is to do next, in place of acquiring.
    next: Option<Request>,
}

/// The hub of a daemon, and the end of each device of `config`, in their order.
pub(crate) fn hub(config: &Config, services: &Services, build: &str) -> (Hub, Vec<Line>) {
    let mut hub = Hub::new(&config.journal, build);
    let mut lines = Vec::new();
    for device in &config.devices {
        let acquisition = &device.acquisition;
        let wanted = Wanted {
            acquire: true,
            offload: acquisition.offload,
        };
        let can_offload = services.offload.is_some() && acquisition.deadline_ms > 0;
        let (device, requests) = hub.add(
            &device.name,
            &device.place().to_string(),
            wanted,
            can_offload,
        );
        lines.push(Line {
            device,
            requests,
            next: None,
        });
    }
    (hub, lines)
}

/// The board of a session, as the API tells of it.
pub(crate) fn board(session: &Session) -> Board {
    let identity = session.identity();
    Board {
        board: identity.board.as_str().to_owned(),
        unit: identity.unit.as_str().to_owned(),
        firmware: identity.firmware.as_str().to_owned(),
        model: identity.model.as_str().to_owned(),
        plan: Hash(identity.plan),
        plan_fault: identity
            .plan_fault
            .as_ref()
            .map(|it| it.as_str().to_owned()),
        boot: format!("{:016x}", identity.boot),
    }
}

impl Line {
    /// Whether the device is to acquire.
    pub fn is_to_acquire(&self) -> bool {
        *self.device.acquire().borrow()
    }

    /// What the device is to do now, in place of acquiring.
    pub fn next(&mut self) -> Option<Request> {
        self.next.take()
    }

    /// Whether it is to do something in place of acquiring.
    pub fn has_next(&self) -> bool {
        self.next.is_some()
    }

    /// Waits until the device is to acquire, or is not, or is to do something else first.
    pub async fn until_acquire(&mut self, wanted: bool) {
        if self.has_next() {
            return;
        }
        let mut acquire = self.device.acquire();
        tokio::select! {
            _ = acquire.wait_for(|&acquire| acquire == wanted) => {}
            Some(request) = self.requests.recv() => self.next = Some(request),
        }
    }

    /// Has a session end when the device is not to acquire any more, or is to do something else
    /// first, or `stop` is wished.
    pub async fn mind(&mut self, stop: &mut Stop, stopper: &Stopper) -> Infallible {
        tokio::select! {
            () = self.until_acquire(false) => {}
            () = stop.wished() => {}
        }
        stopper.stop();
        std::future::pending().await
    }
}

/// The daemon's executors and its journal's health, for the API.
#[derive(Debug)]
pub(crate) struct Shared {
    services: Arc<Services>,
    plans: Vec<Arc<PlanBuf>>,
}

impl Shared {
    /// `plans` are those that the offload queue of `services` was started with.
    pub fn new(services: &Arc<Services>, plans: Vec<Arc<PlanBuf>>) -> Self {
        Self {
            services: Arc::clone(services),
            plans,
        }
    }
}

impl Host for Shared {
    fn trouble(&self) -> Option<String> {
        self.services.journal.trouble()
    }

    fn queue_len(&self) -> usize {
        self.services
            .offload
            .as_ref()
            .map_or(0, |offload| offload.len())
    }

    fn plans(&self) -> &[Arc<PlanBuf>] {
        &self.plans
    }

    fn run(&self, plan: &Arc<PlanBuf>, values: Vec<u8>, time_max: Duration) -> Running {
        let (reply, mut verdicts) = mpsc::channel(1);
        let question = Question {
            frame: 0,
            plan: Arc::clone(plan),
            values,
            priority: Priority::Background,
            deadline: Instant::now() + time_max,
            reply,
        };
        let submitted = match &self.services.offload {
            Some(offload) => offload.submit(question),
            None => Err(NoAnswer::NoExecutor),
        };
        Box::pin(async move {
            submitted.map_err(no_run)?;
            let verdict = verdicts.recv().await;
            let outcome = verdict.map_or(Err(NoAnswer::Ended), |verdict| verdict.outcome);
            outcome.map(ran).map_err(no_run)
        })
    }
}

fn ran(answer: HostAnswer) -> Ran {
    Ran {
        answer: answer_record(&answer.reading.answer, Some(&answer.plan)),
        confidence: unit(answer.reading.confidence),
        outputs: answer.outputs,
        executor: answer.executor.to_string(),
        queue: answer.queue,
        run: answer.run,
    }
}

fn no_run(why: NoAnswer) -> NoRun {
    match why {
        NoAnswer::QueueFull | NoAnswer::Displaced => NoRun::Busy(why.to_string()),
        NoAnswer::Late => NoRun::Late,
        NoAnswer::NoExecutor | NoAnswer::Executor(_) | NoAnswer::Ended => {
            NoRun::Failed(why.to_string())
        }
    }
}
