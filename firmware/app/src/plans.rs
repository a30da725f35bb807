//! The application's main loop: one plan after another.
//!
//! A plan runs until an update makes another one active. What the host does not see change with
//! the plan outlives it: its session, the results that it has not stored, the sensor.

use crate::app::App;
use crate::engine::Engine;
use crate::held::Held;
use crate::log::{info, warning};
use crate::pins::Signals;
use crate::port::{Ended, Port};
use crate::replay::{Replay, ReplayError};
use crate::sensor::Sensor;
use crate::text::cut;
use crate::update::{Done, Provider, Step, UpdateSteps};
use crate::{Board, Clock};
use embassy_futures::join::join;
use embedded_io_async::{Read, Write};
use microtome_link::message::{FAULT_LEN_MAX, Identity, NAME_LEN_MAX, Name, PlanFault, Refusal};
use microtome_link::update::{UpdateRefusal, Updated};
use microtome_link::{PROTOCOL, ToHost};
use microtome_plan::Plan;

/// Runs the application; `open` tells where the plan is.
pub(crate) async fn run<R, W, S, P>(board: Board<'_, R, W, S>, open: impl AsyncFnOnce() -> P) -> !
where
    R: Read,
    W: Write,
    S: Sensor,
    P: Provider,
{
    let port = Port::board();
    let mut plans = Plans {
        identity: Identity {
            protocol: PROTOCOL,
            board: name(board.name),
            unit: name(board.unit),
            firmware: name(board.firmware),
            model: Name::new(),
            plan: [0; 32],
            plan_fault: None,
            arena_bytes: board.memory.len() as u32,
            ticks_hz: board.clock.ticks_hz,
            replay_frames: 0,
            boot: 0,
            acquisitions: 0,
            updates: None,
        },
        clock: board.clock,
        port: &port,
        session: 0,
        held: Held::new(),
        factory: board.plan,
        replay: board.replay,
        memory: board.memory,
        sensor: board.sensor,
        signals: Signals::new(board.pins),
        is_switch: false,
    };
    let plans = async {
        let mut provider = open().await;
        loop {
            if let Err(fault) = plans.run_one(&mut provider).await {
                provider.fall_back(&fault).await;
            }
        }
    };
    join(port.serve(board.rx, board.tx), plans).await.0
}

/// What outlives a plan.
struct Plans<'b, 'p, S> {
    identity: Identity,
    clock: Clock,
    port: &'b Port,
    session: u32,
    held: Held,
    /// The bytes of the factory plan, whatever they are.
    factory: &'b [u8],
    /// The bytes of the replay store, whatever they are.
    replay: &'b [u8],
    memory: &'b mut [u8],
    sensor: S,
    signals: Signals<'p>,
    /// The host waits to hear of the switch that it asked for.
    is_switch: bool,
}

impl<S: Sensor> Plans<'_, '_, S> {
    /// Runs the plan that is to run until another one is.
    ///
    /// # Errors
    /// Why it can not run, where there is one to go back to.
    async fn run_one(&mut self, provider: &mut impl Provider) -> Result<(), PlanFault> {
        let (source, mut updater) = provider.split(self.factory);
        let plan = source.plan();
        loop {
            let made = plan
                .as_ref()
                .map_err(PlanFault::clone)
                .and_then(|plan| Engine::new(plan, &mut *self.memory).map_err(|error| cut(&error)));
            let (engine, fault) = match made {
                Ok(engine) => (Some(engine), None),
                Err(fault) if source.is_last() => (None, Some(fault)),
                Err(fault) => return Err(fault),
            };
            let replay = engine.as_ref().map_or_else(Replay::default, |engine| {
                open_replay(self.replay, engine.frame().len())
            });
            match &fault {
                Some(fault) => warning!("no plan to run: {}", fault.as_str()),
                None => info!("ready, {} replay frames", replay.len()),
            }
            let identity = &mut self.identity;
            identity.model = name(plan.as_ref().map_or("", |plan| plan.manifest().model));
            identity.plan = plan.as_ref().map_or([0; 32], Plan::digest);
            identity.plan_fault = fault;
            identity.replay_frames = replay.len() as u32;
            let mut app = App {
                identity,
                clock: self.clock,
                port: self.port,
                session: self.session,
                engine,
                staged: 0,
                held: &mut self.held,
                replay,
                sensor: &mut self.sensor,
                signals: &mut self.signals,
            };
            let way = app.run_plan(&mut updater, self.is_switch).await;
            self.session = app.session;
            self.is_switch = way == Way::Switch;
            if way == Way::Switch {
                return Ok(());
            }
            let tried = updater.trial(self.memory, self.clock).await;
            // A session that has ended does not wait for it.
            let _: Result<(), Ended> = self.port.send(self.session, &answer(tried)).await;
        }
    }
}

/// What the plan that runs makes way for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// A trial, after which it goes on.
    Trial,
    /// Another plan.
    Switch,
}

impl<S: Sensor> App<'_, '_, S> {
    /// Serves the host until the plan has to make way.
    async fn run_plan(&mut self, updater: &mut impl UpdateSteps, is_switch: bool) -> Way {
        let mut first = is_switch.then_some(Step::State);
        loop {
            self.identity.updates = updater.state();
            let step = match first.take() {
                Some(step) => step,
                None => self.serve().await,
            };
            let done = updater.step(step, self.held.len()).await;
            let said = match done {
                Ok(Done::Quiet) => continue,
                Ok(Done::Trial) => return Way::Trial,
                Ok(Done::Switch) => return Way::Switch,
                Ok(Done::Said(updated)) => answer(Ok(updated)),
                Err(refusal) => answer(Err(refusal)),
            };
            // A session that has ended does not wait for it.
            let _: Result<(), Ended> = self.send(&said).await;
        }
    }
}

fn answer(done: Result<Updated, UpdateRefusal>) -> ToHost<'static> {
    match done {
        Ok(updated) => ToHost::Updated(updated),
        Err(refusal) => ToHost::Refused(Refusal::Update(refusal)),
    }
}

/// The frames of the replay store; none where there is no store for this plan.
fn open_replay(bytes: &[u8], frame_len: usize) -> Replay<'_> {
    Replay::parse(bytes, frame_len).unwrap_or_else(|error| {
        if error != ReplayError::NoStore {
            warning!("replay: {}", cut::<FAULT_LEN_MAX>(&error).as_str());
        }
        Replay::default()
    })
}

fn name(text: &str) -> Name {
    cut::<NAME_LEN_MAX>(&text)
}
