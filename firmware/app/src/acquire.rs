//! Acquisition: frame after frame from the sensor, and the cascade.
//!
//! Each frame gets exactly one result. Where the board's own reading is not confident enough and
//! the host allows it, the board asks the host, and goes on with the next frame while it waits;
//! at most [`ASKS_MAX`] questions are open, and with that many the next frame waits for an answer
//! or a deadline. So results may come in another order than frames. Where the quickest answer is
//! wanted ([`Mode::Latency`]), the next frame waits until no question is open and the host has all
//! that was sent to it.
//!
//! When the session ends, acquisition ends with it, but no frame that was exposed goes without its
//! result: that is held, as all are until the host has stored them, and sent when the next
//! acquisition begins.

use crate::app::{App, Request};
use crate::engine::Engine;
use crate::log::{info, warning};
use crate::port::Ended;
use crate::schedule::Schedule;
use crate::sensor::{Sensor, SensorError};
use embassy_futures::select::select;
use embassy_futures::yield_now;
use embassy_time::{Duration, Instant, Timer};
use heapless::Vec;
use microtome_answer::Reading;
use microtome_link::ToHost;
use microtome_link::message::{Acquisition, Answerer, FrameResult, Mode, Origin, Refusal, Times};

/// Questions to the host that are open at a time.
const ASKS_MAX: usize = 2;

/// An acquisition under way.
struct Progress {
    how: Acquisition,
    schedule: Schedule,
    /// Number of the acquisition since the board's start.
    number: u32,
    is_stopped: bool,
    asked: Vec<Asked, ASKS_MAX>,
}

/// A frame that the host was asked about, with the result that it gets at the deadline.
struct Asked {
    result: FrameResult,
    deadline: Instant,
}

impl<S: Sensor> App<'_, '_, S> {
    /// Acquires frames until there are enough, the host stops it, or the sensor fails.
    pub async fn acquire(&mut self, how: Acquisition) -> Result<(), Ended> {
        self.send_held().await?;
        let Some(mut engine) = self.engine.take() else {
            return self.refuse(Refusal::NoPlan).await;
        };
        let number = self.identity.acquisitions;
        self.identity.acquisitions = number.wrapping_add(1);
        let mut progress = Progress {
            how,
            schedule: Schedule::new(&how, Instant::now()),
            number,
            is_stopped: false,
            asked: Vec::new(),
        };
        let frames = self.acquire_frames(&mut progress, &mut engine).await;
        self.engine = Some(engine);
        self.staged = 0;
        if frames.is_err() {
            for mut asked in progress.asked {
                asked.result.origin = Origin::BoardAfterNoAnswer;
                asked.result.times.answered = (self.clock.now)();
                self.conclude(asked.result);
            }
        }
        let frames = frames?;
        info!("acquired {} frames", frames);
        self.send(&ToHost::Stopped { frames }).await
    }

    async fn acquire_frames(
        &mut self,
        progress: &mut Progress,
        engine: &mut Engine<'_, '_>,
    ) -> Result<u32, Ended> {
        let mut frames = 0;
        let mut sensor = self.sensor.begin().await;
        while sensor.is_ok() && (progress.how.frames == 0 || frames < progress.how.frames) {
            self.wait_for_turn(progress).await?;
            if progress.is_stopped {
                break;
            }
            sensor = self.acquire_frame(progress, engine, frames).await?;
            frames += u32::from(sensor.is_ok());
        }
        while !progress.asked.is_empty() {
            self.wait(progress, Instant::MAX).await?;
        }
        if let Err(error) = sensor {
            warn_of_sensor(error);
            self.refuse(Refusal::Sensor).await?;
        }
        Ok(frames)
    }

    /// One frame, from exposure to the result or the question.
    async fn acquire_frame(
        &mut self,
        progress: &mut Progress,
        engine: &mut Engine<'_, '_>,
        frame: u32,
    ) -> Result<Result<(), SensorError>, Ended> {
        let (clock, may_ask) = (self.clock, progress.how.offload);
        let exposed = match self.expose(engine).await {
            Ok(exposed) => exposed,
            Err(error) => return Ok(Err(error)),
        };
        let begun = (clock.now)();
        engine.load();
        let mut served = Ok(());
        while engine.step() {
            yield_now().await;
            if served.is_ok() {
                served = self.serve_requests(progress).await;
            }
        }
        let inferred = (clock.now)();
        self.signals.inferred();
        let reading = engine.reading();
        let answered = (clock.now)();
        let mut result = FrameResult {
            sequence: 0,
            acquisition: progress.number,
            frame,
            origin: Origin::Board,
            board_confidence: reading.confidence,
            reading,
            times: Times {
                exposed,
                begun,
                inferred,
                answered,
                signalled: None,
            },
            answerer: None,
            missed: progress.schedule.take_missed(),
        };
        let asks = may_ask && is_unsure(engine, &result.reading);
        if let Err(ended) = served {
            if asks {
                result.origin = Origin::BoardAfterNoAnswer;
            }
            self.conclude(result);
            return Err(ended);
        }
        if asks {
            self.ask(progress, engine, result).await?;
        } else {
            self.give(result).await?;
        }
        Ok(Ok(()))
    }

    /// Makes the sensor's next frame the engine's; when it was exposed.
    async fn expose(&mut self, engine: &mut Engine<'_, '_>) -> Result<u64, SensorError> {
        let input = engine.input();
        let values = bytemuck::cast_slice_mut(engine.frame_mut());
        self.signals.exposing();
        let exposed = self.sensor.expose(input, values, self.clock).await;
        if exposed.is_err() {
            self.signals.inferred();
        }
        exposed
    }

    /// Asks the host about the frame at hand.
    async fn ask(
        &mut self,
        progress: &mut Progress,
        engine: &Engine<'_, '_>,
        mut result: FrameResult,
    ) -> Result<(), Ended> {
        let deadline_ms = progress.how.deadline_ms;
        let deadline = Instant::now() + Duration::from_millis(deadline_ms.into());
        let question = ToHost::Ask {
            frame: result.frame,
            len: engine.frame().len() as u32,
            deadline_ms,
            reading: result.reading.clone(),
        };
        result.origin = Origin::BoardAfterDeadline;
        // A frame is only begun when there is room to ask about it.
        let _ = progress.asked.push(Asked { result, deadline });
        self.send(&question).await?;
        self.send_pieces(0, engine.frame(), ToHost::Frame).await
    }

    /// Waits until a frame is to be exposed, or acquisition is stopped.
    async fn wait_for_turn(&mut self, progress: &mut Progress) -> Result<(), Ended> {
        self.serve_requests(progress).await?;
        while !progress.is_stopped {
            let is_free = self.is_free(progress);
            match progress.schedule.turn(Instant::now(), is_free) {
                Ok(()) => break,
                Err(until) => self.wait(progress, until).await?,
            }
        }
        Ok(())
    }

    /// Whether there is room for a further question, and for a further result beside those of the
    /// questions; where the quickest answer is wanted, also whether nothing is under way.
    fn is_free(&self, progress: &Progress) -> bool {
        let is_quiet = progress.asked.is_empty() && self.port.is_flushed();
        !progress.asked.is_full()
            && self.held.has_room(progress.asked.len() + 1)
            && (progress.how.mode == Mode::Rate || is_quiet)
    }

    /// Waits for something to happen, the next deadline, or `until`, and acts on it.
    async fn wait(&mut self, progress: &mut Progress, until: Instant) -> Result<(), Ended> {
        let deadlines = progress.asked.iter().map(|asked| asked.deadline);
        let until = deadlines.fold(until, Instant::min);
        select(self.port.news(), Timer::at(until)).await;
        self.serve_requests(progress).await
    }

    /// Acts on deadlines that have passed and on all that the host has said.
    async fn serve_requests(&mut self, progress: &mut Progress) -> Result<(), Ended> {
        while let Some(request) = self.poll() {
            match request {
                Request::Opened | Request::Closed => return Err(Ended),
                Request::Hello { protocol } => self.hello(protocol).await?,
                Request::Stop => progress.is_stopped = true,
                Request::Clock { host_us } => self.tell_clock(host_us).await?,
                Request::Offload { allowed } => progress.how.offload = allowed,
                Request::Start(_) | Request::Run { .. } | Request::Update(_) => {
                    self.refuse(Refusal::Busy).await?;
                }
                Request::Answer { frame, answer } => {
                    self.take_answer(progress, frame, answer).await?;
                }
                Request::Input | Request::Boot(_) | Request::Stored(_) | Request::Foreign => {}
            }
        }
        let now = Instant::now();
        while let Some(at) = progress
            .asked
            .iter()
            .position(|asked| asked.deadline <= now)
        {
            let asked = progress.asked.remove(at);
            self.send_result(asked.result).await?;
        }
        Ok(())
    }

    /// Takes the host's answer; one that comes after the deadline is too late.
    async fn take_answer(
        &mut self,
        progress: &mut Progress,
        frame: u32,
        answer: Option<(Reading, Answerer)>,
    ) -> Result<(), Ended> {
        let mut asked = progress.asked.iter();
        let Some(at) = asked.position(|asked| asked.result.frame == frame) else {
            return Ok(());
        };
        let mut result = progress.asked.remove(at).result;
        match answer {
            Some((reading, answerer)) => {
                result.origin = Origin::Host;
                result.reading = reading;
                result.answerer = Some(answerer);
            }
            None => result.origin = Origin::BoardAfterNoAnswer,
        }
        self.send_result(result).await
    }

    async fn send_result(&mut self, mut result: FrameResult) -> Result<(), Ended> {
        result.times.answered = (self.clock.now)();
        self.give(result).await
    }

    /// Signals that a result is there, and holds it until it is stored.
    fn conclude(&mut self, mut result: FrameResult) -> FrameResult {
        result.times.signalled = self.signals.answered(self.clock);
        self.held.hold(result)
    }

    /// Concludes a result, and sends it.
    async fn give(&mut self, result: FrameResult) -> Result<(), Ended> {
        let result = self.conclude(result);
        self.send(&ToHost::Result(result)).await
    }

    /// Sends what earlier sessions have left.
    async fn send_held(&self) -> Result<(), Ended> {
        for index in 0.. {
            let Some(result) = self.held.get(index) else {
                break;
            };
            self.send(&ToHost::Result(result.clone())).await?;
        }
        Ok(())
    }
}

/// Whether the plan's cascade would have the host look at the frame.
fn is_unsure(engine: &Engine<'_, '_>, reading: &Reading) -> bool {
    let cascade = engine.plan().manifest().cascade;
    cascade.is_some_and(|cascade| reading.confidence < cascade.confidence_min)
}

fn warn_of_sensor(error: SensorError) {
    match error {
        SensorError::Bus => warning!("sensor: the bus failed"),
        SensorError::WrongChip { found } => warning!("sensor: another chip answers, id {}", found),
        SensorError::Timeout => warning!("sensor: not ready in time"),
        SensorError::Saturated => warning!("sensor: saturated"),
        SensorError::FrameLen { found, expected } => {
            warning!("sensor: {} elements, the plan takes {}", found, expected);
        }
        SensorError::Empty => warning!("sensor: there is no frame"),
    }
}
