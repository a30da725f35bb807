//! A board in memory, built on the same link as the firmware, and plans for it.

use microtome_answer::{Answer, Reading};
use microtome_daemon::Plans;
use microtome_journal::Reader;
use microtome_link::message::{
    Acquisition, Answerer, FrameResult, HELD_MAX, Identity, InputSource, Name, Origin,
    PIECE_LEN_MAX, PROTOCOL, Piece, Times,
};
use microtome_link::{Event, FRAME_LEN_MAX, Link, Message, ToBoard, ToHost};
use microtome_plan::{
    ArenaAt, Cascade, Element, Labels, Manifest, ModelType, PlanBuf, Port, Target, Task, encode,
};
use serde_json::Value;
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, sleep_until, timeout};

pub const TICKS_HZ: u32 = 1_000_000;
/// Values of a frame; each is the score of a class.
pub const FRAME_LEN: usize = 1000;

/// A plan without steps: its output is its input, one score a class.
fn plan(model: &str, scale: f32, zero: i8, cascade: Option<Cascade<'_>>) -> PlanBuf {
    let port = Port {
        name: "scores",
        at: ArenaAt(0),
        dims: [1, FRAME_LEN].into_iter().collect(),
        order: [0, 1].into_iter().collect(),
        model_type: ModelType::I8,
        element: Element::I8,
        scale,
        zero,
    };
    let manifest = Manifest {
        model,
        target: Target::Generic,
        arena_bytes: FRAME_LEN,
        steps: 0,
        inputs: [port.clone()].into_iter().collect(),
        outputs: [port].into_iter().collect(),
        task: Task::Classify {
            labels: Labels("red\nwhite\nplatelet"),
        },
        cascade,
    };
    PlanBuf::new(&encode(&manifest, &[], &[])).expect("a valid plan")
}

/// The plan of the board, which asks `heavy`.
pub fn light() -> PlanBuf {
    plan(
        "light",
        1.0 / 256.0,
        -128,
        Some(Cascade {
            confidence_min: 200,
            model: "heavy",
        }),
    )
}

/// The heavier plan; its input has another scale.
pub fn heavy() -> PlanBuf {
    plan("heavy", 1.0 / 128.0, 0, None)
}

/// The records of the journal at `path`, as it is now.
pub fn records(path: &Path) -> Vec<Value> {
    let reader = Reader::open(path).unwrap();
    let found = microtome_journal::audit(&reader, None).unwrap();
    assert_eq!(found.broken, None);
    let records = reader.records().unwrap();
    records
        .map(|stored| serde_json::from_slice(&stored.unwrap().record).unwrap())
        .collect()
}

pub fn plans() -> Plans {
    [light(), heavy()].into_iter().collect()
}

/// What a board in memory does.
#[derive(Clone, Copy, Debug)]
pub struct FakeBoard {
    /// Every so manieth frame is asked about; 0 is none.
    pub ask_every: u32,
    /// The wire breaks after so many results.
    pub vanish_after: Option<u32>,
    /// The board forgets everything after so many results.
    pub restart_after: Option<u32>,
    /// The board does nothing any more after so many results.
    pub hang_after: Option<u32>,
    /// Exposures missed before each frame.
    pub missed: u32,
    pub protocol: u16,
    /// Who is said to have answered what was not asked about: in a session that this daemon knows
    /// nothing of.
    pub answerer: Option<Answerer>,
}

impl Default for FakeBoard {
    fn default() -> Self {
        Self {
            ask_every: 0,
            vanish_after: None,
            restart_after: None,
            hang_after: None,
            missed: 0,
            protocol: PROTOCOL,
            answerer: None,
        }
    }
}

/// A request, owned.
#[derive(Debug)]
enum Request {
    Hello,
    Start(Acquisition),
    Stop,
    Run {
        run: u32,
        input: InputSource,
        profile: bool,
    },
    Input(Vec<u8>),
    Answer {
        frame: u32,
        answer: Option<Box<(Reading, Answerer)>>,
    },
    Offload(bool),
}

/// The wire ended.
struct Gone;

impl FakeBoard {
    /// Starts the board; the host's end of its wire.
    pub fn start(self) -> DuplexStream {
        let (host, board) = tokio::io::duplex(256);
        tokio::spawn(self.serve(board));
        host
    }

    /// Serves the host at the other end of `wire` until that breaks.
    pub async fn serve(self, wire: DuplexStream) {
        let mut end = End {
            wire,
            link: Link::board(),
            epoch: Instant::now(),
            requests: VecDeque::new(),
            boot: 0,
            acquisitions: 0,
            sent: 0,
            stored: 0,
        };
        let _: Result<(), Gone> = self.work(&mut end).await;
    }

    async fn work(self, end: &mut End) -> Result<(), Gone> {
        let mut input = Vec::new();
        loop {
            match end.request(None).await? {
                Some(Request::Hello) => end.send(&self.hello(end)).await?,
                Some(Request::Start(how)) => self.acquire(end, how).await?,
                Some(Request::Input(piece)) => input.extend(piece),
                Some(Request::Run {
                    run,
                    input: from,
                    profile,
                }) => {
                    let values = match from {
                        InputSource::Link => std::mem::take(&mut input),
                        InputSource::Replay(frame) => vec![frame as u8; FRAME_LEN],
                    };
                    run_once(end, run, &values, profile).await?;
                }
                _ => {}
            }
        }
    }

    async fn acquire(self, end: &mut End, mut how: Acquisition) -> Result<(), Gone> {
        let mut frame = 0;
        let acquisition = end.acquisitions;
        end.acquisitions += 1;
        while how.frames == 0 || frame < how.frames {
            if self.vanish_after == Some(frame) {
                return Err(Gone);
            }
            if self.restart_after == Some(frame) {
                end.link = Link::board();
                return Ok(());
            }
            if self.hang_after == Some(frame) {
                std::future::pending::<()>().await;
            }
            // Inference has just ended: no time of a result lies ahead of the clock.
            let exposed = end.ticks().saturating_sub(110);
            let asks = how.offload && self.ask_every > 0 && frame % self.ask_every == 0;
            while end.sent - end.stored == HELD_MAX as u64 {
                end.turn(None).await?;
            }
            let mut result = FrameResult {
                sequence: end.sent,
                acquisition,
                frame,
                origin: Origin::Board,
                reading: Reading {
                    answer: Answer::Class {
                        class: 0,
                        score: 128,
                    },
                    confidence: 128,
                },
                board_confidence: 128,
                times: Times {
                    exposed,
                    begun: exposed + 10,
                    inferred: exposed + 110,
                    answered: 0,
                    signalled: None,
                },
                answerer: None,
                missed: self.missed,
            };
            if asks {
                self.ask(end, &mut how, &mut result).await?;
            } else if self.answerer.is_some() {
                result.origin = Origin::Host;
                result.answerer = self.answerer;
            }
            result.times.answered = end.ticks().max(result.times.inferred);
            end.send(&ToHost::Result(result)).await?;
            end.sent += 1;
            frame += 1;
            let period = Duration::from_micros(how.period_us.into());
            let until = Instant::now() + period;
            while let Some(request) = end.request(Some(until)).await? {
                match request {
                    Request::Stop => return end.send(&ToHost::Stopped { frames: frame }).await,
                    Request::Hello => end.send(&self.hello(end)).await?,
                    Request::Offload(allowed) => how.offload = allowed,
                    _ => {}
                }
            }
        }
        end.send(&ToHost::Stopped { frames: frame }).await
    }

    /// Asks, and waits for the answer.
    async fn ask(
        self,
        end: &mut End,
        how: &mut Acquisition,
        result: &mut FrameResult,
    ) -> Result<(), Gone> {
        let until = Instant::now() + Duration::from_millis(how.deadline_ms.into());
        let frame = result.frame;
        let reading = result.reading.clone();
        let (len, deadline_ms) = (FRAME_LEN as u32, how.deadline_ms);
        end.send(&ToHost::Ask {
            frame,
            len,
            deadline_ms,
            reading,
        })
        .await?;
        // The class of the frame is 2 to whoever looks at it.
        let mut values = [-128_i8; FRAME_LEN];
        values[2] = 100;
        let bytes: Vec<u8> = values.iter().map(|value| value.cast_unsigned()).collect();
        end.send_pieces(&bytes, ToHost::Frame).await?;
        result.origin = Origin::BoardAfterDeadline;
        while let Some(request) = end.request(Some(until)).await? {
            match request {
                Request::Answer { frame: of, answer } if of == frame => {
                    result.origin = Origin::BoardAfterNoAnswer;
                    if let Some(answer) = answer {
                        result.origin = Origin::Host;
                        result.reading = answer.0;
                        result.answerer = Some(answer.1);
                    }
                    break;
                }
                Request::Hello => end.send(&self.hello(end)).await?,
                Request::Offload(allowed) => how.offload = allowed,
                _ => {}
            }
        }
        Ok(())
    }

    fn hello(self, end: &End) -> ToHost<'static> {
        let name = |text: &str| Name::try_from(text).expect("short");
        ToHost::Hello(Identity {
            protocol: self.protocol,
            board: name("fake"),
            unit: name("no. 7"),
            firmware: name("1.2.3"),
            model: name("light"),
            plan: light().digest(),
            plan_fault: None,
            arena_bytes: 4096,
            ticks_hz: TICKS_HZ,
            replay_frames: 2,
            boot: end.boot,
            acquisitions: end.acquisitions,
            updates: None,
        })
    }
}

async fn run_once(end: &mut End, run: u32, values: &[u8], profile: bool) -> Result<(), Gone> {
    for step in 0..if profile { 3 } else { 0 } {
        end.send(&ToHost::StepCost {
            run,
            step,
            ticks: u64::from(step) + 1,
        })
        .await?;
    }
    end.send_pieces(values, ToHost::Output).await?;
    end.send(&ToHost::RunDone { run, ticks: 6 }).await
}

/// The board's end of the link.
struct End {
    wire: DuplexStream,
    link: Link,
    epoch: Instant,
    requests: VecDeque<Request>,
    boot: u64,
    acquisitions: u32,
    /// Results that were sent, and those that the host has stored.
    sent: u64,
    stored: u64,
}

impl End {
    fn ticks(&self) -> u64 {
        self.epoch.elapsed().as_micros() as u64
    }

    async fn send(&mut self, message: &impl Message) -> Result<(), Gone> {
        while self.link.send(message).is_err() {
            self.turn(None).await?;
        }
        Ok(())
    }

    async fn send_pieces<'p>(
        &mut self,
        bytes: &'p [u8],
        message: impl Fn(Piece<'p>) -> ToHost<'p>,
    ) -> Result<(), Gone> {
        for (index, data) in bytes.chunks(PIECE_LEN_MAX).enumerate() {
            let offset = (index * PIECE_LEN_MAX) as u32;
            self.send(&message(Piece { offset, data })).await?;
        }
        Ok(())
    }

    /// The next request, or nothing by then.
    async fn request(&mut self, until: Option<Instant>) -> Result<Option<Request>, Gone> {
        loop {
            if let Some(request) = self.requests.pop_front() {
                return Ok(Some(request));
            }
            self.turn(until).await?;
            if self.requests.is_empty() && until.is_some_and(|until| until <= Instant::now()) {
                return Ok(None);
            }
        }
    }

    async fn turn(&mut self, until: Option<Instant>) -> Result<(), Gone> {
        let mut out = [0; FRAME_LEN_MAX];
        while let Some(frame) = self.link.poll_transmit(self.ticks(), &mut out) {
            // Both ends writing into full pipes at once must not stop both.
            let written = timeout(Duration::from_millis(50), self.wire.write_all(frame)).await;
            if matches!(written, Ok(Err(_))) {
                return Err(Gone);
            }
        }
        let due = self
            .link
            .poll_timeout()
            .map(|us| self.epoch + Duration::from_micros(us));
        let wake = [due, until].into_iter().flatten().min();
        let wake = wake.unwrap_or_else(|| Instant::now() + Duration::from_secs(1));
        let mut bytes = [0; 512];
        tokio::select! {
            read = self.wire.read(&mut bytes) => match read {
                Ok(len) if len > 0 => {
                    let now_us = self.ticks();
                    self.link.receive(&bytes[..len], now_us);
                }
                _ => return Err(Gone),
            },
            () = sleep_until(wake) => {}
        }
        let mut clocks = Vec::new();
        while let Some(event) = self.link.poll_event() {
            if let Event::Message(message) = event {
                let message = message.decode::<ToBoard<'_>>();
                match message.expect("the host speaks properly") {
                    ToBoard::Boot { boot } => self.boot = boot,
                    ToBoard::Stored { through } => self.stored = through + 1,
                    ToBoard::Clock { host_us } => clocks.push(host_us),
                    message => self.requests.push_back(owned(message)),
                }
            }
        }
        for host_us in clocks {
            // Where there is no room for it, the host asks again.
            let ticks = self.ticks();
            let _ = self.link.send(&ToHost::Clock { host_us, ticks });
        }
        Ok(())
    }
}

fn owned(message: ToBoard<'_>) -> Request {
    match message {
        ToBoard::Hello { .. } => Request::Hello,
        ToBoard::Start(how) => Request::Start(how),
        ToBoard::Stop => Request::Stop,
        ToBoard::Run {
            run,
            input,
            profile,
        } => Request::Run {
            run,
            input,
            profile,
        },
        ToBoard::Input(piece) => Request::Input(piece.data.to_vec()),
        ToBoard::Answer {
            frame,
            reading,
            answerer,
        } => Request::Answer {
            frame,
            answer: Some(Box::new((reading, answerer))),
        },
        ToBoard::NoAnswer { frame } => Request::Answer {
            frame,
            answer: None,
        },
        ToBoard::Offload { allowed } => Request::Offload(allowed),
        ToBoard::Boot { .. } | ToBoard::Stored { .. } | ToBoard::Clock { .. } => {
            unreachable!("noted as they come")
        }
        ToBoard::Update(_) => unreachable!("it says that it has no flash for updates"),
    }
}

/// Carries bytes between both wires and damages about one in `one_in`: flips a bit, drops it, or
/// repeats it.
pub async fn faulty(mut a: DuplexStream, mut b: DuplexStream, one_in: u32) {
    let mut state = 1_u64;
    let (mut from_a, mut from_b) = ([0; 64], [0; 64]);
    loop {
        let (bytes, to) = tokio::select! {
            read = a.read(&mut from_a) => (&from_a[..read.unwrap_or(0)], &mut b),
            read = b.read(&mut from_b) => (&from_b[..read.unwrap_or(0)], &mut a),
        };
        let mut damaged = Vec::new();
        for &byte in bytes {
            // Xorshift.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            match (state % u64::from(one_in), state >> 32 & 3) {
                (0, 0) => {}
                (0, 1) => damaged.extend([byte, byte]),
                (0, _) => damaged.push(byte ^ (1 << (state >> 40 & 7))),
                _ => damaged.push(byte),
            }
        }
        if bytes.is_empty() || to.write_all(&damaged).await.is_err() {
            return;
        }
    }
}
