//! The application against a host made of the same link, over a line in memory.
#![allow(dead_code, reason = "each test program uses a part of this")]

mod plan;

#[allow(unused_imports, reason = "as above")]
pub use plan::{CONFIDENCE_MIN, LEN, frame, plan, plan_clamping_at};

use embassy_futures::block_on;
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::pipe::{Pipe, Reader, Writer};
use embassy_time::{Duration, with_timeout};
use embedded_hal::digital::{self, OutputPin};
use embedded_io_async::{ErrorType, Read};
use microtome_app::flash::{FlashPart, UpdateFlash};
use microtome_app::pins::Pins;
use microtome_app::port::Port;
use microtome_app::sensor::ReplaySensor;
use microtome_app::{Board, Clock};
use microtome_link::message::Channel;
use microtome_link::{Event, Log, PROTOCOL, ToBoard, ToHost};
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

const WAIT_MAX: Duration = Duration::from_secs(20);

pub fn store(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"MTRP".to_vec();
    for word in [1, frames.len() as u32, LEN as u32] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend(frames.concat());
    bytes
}

/// How a test's board and line are.
pub struct Setup {
    pub plan: Vec<u8>,
    pub replay: Vec<u8>,
    pub memory_len: usize,
    /// One byte in so many is damaged, both ways; 0 is none.
    pub damage: usize,
    /// What the board's pins do.
    pub levels: Levels,
}

/// A pin of the board and the level that it was given, one after another.
pub type Levels = Rc<RefCell<Vec<(BoardPin, bool)>>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoardPin {
    Exposure,
    Answer,
}

/// A pin that writes down its levels.
struct Probe(BoardPin, Levels);

impl digital::ErrorType for Probe {
    type Error = Infallible;
}

impl OutputPin for Probe {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.1.borrow_mut().push((self.0, false));
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.1.borrow_mut().push((self.0, true));
        Ok(())
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            plan: plan().bytes().to_vec(),
            replay: store(&[frame(220), frame(150), frame(210)]),
            memory_len: 4096,
            damage: 0,
            levels: Levels::default(),
        }
    }
}

/// The fake host of a test.
pub struct Host<'a> {
    pub port: &'a Port,
    pub session: u32,
}

const LINE_LEN: usize = 700;

type Line = Pipe<NoopRawMutex, LINE_LEN>;
type Rx<'b> = Faulty<Reader<'b, NoopRawMutex, LINE_LEN>>;
type Tx<'b> = Writer<'b, NoopRawMutex, LINE_LEN>;
type TestBoard<'b> = Board<'b, Rx<'b>, Tx<'b>, ReplaySensor<'b>>;

/// Runs the application, and `script` with a new host's end of the link each time that it
/// returns, so many times.
pub fn with_board(setup: Setup, hosts: u32, script: impl AsyncFnMut(Host<'_>)) {
    let run = async |board: TestBoard<'_>| microtome_app::run(board).await;
    with_application(setup, run, hosts, script);
}

/// As [`with_board`], with flash for updates.
pub fn with_flash<F: FlashPart>(
    setup: Setup,
    flash: UpdateFlash<F>,
    hosts: u32,
    script: impl AsyncFnMut(Host<'_>),
) {
    let run = async |board: TestBoard<'_>| microtome_app::run_with_updates(board, flash).await;
    with_application(setup, run, hosts, script);
}

fn with_application(
    setup: Setup,
    run: impl AsyncFnOnce(TestBoard<'_>),
    hosts: u32,
    mut script: impl AsyncFnMut(Host<'_>),
) {
    let (mut up, mut down) = (Line::new(), Line::new());
    let (from_board, to_host) = up.split();
    let (from_host, mut to_board) = down.split();
    let mut aligned = vec![0_u128; setup.plan.len().div_ceil(16)];
    let slot = bytemuck::cast_slice_mut::<u128, u8>(&mut aligned);
    slot[..setup.plan.len()].copy_from_slice(&setup.plan);
    let mut memory = vec![0_u128; setup.memory_len / 16];
    let damage = setup.damage;
    let pin = |pin| Probe(pin, Rc::clone(&setup.levels));
    let (mut exposure, mut answer) = (pin(BoardPin::Exposure), pin(BoardPin::Answer));
    let board = Board {
        name: "test",
        unit: "bench 1",
        firmware: "0",
        clock: Clock {
            now: || embassy_time::Instant::now().as_ticks(),
            ticks_hz: 1_000_000,
        },
        plan: slot,
        replay: &setup.replay,
        memory: bytemuck::cast_slice_mut(&mut memory),
        sensor: ReplaySensor::new(&setup.replay),
        rx: Faulty::new(from_host, damage),
        tx: to_host,
        pins: Pins {
            exposure: &mut exposure,
            answer: &mut answer,
        },
    };
    let mut from_board = Faulty::new(from_board, damage);
    let hosts = async {
        for number in 0..hosts {
            let port = Port::host(100 + number);
            let run = async {
                let session = opened(&port).await;
                let port = &port;
                script(Host { port, session }).await;
            };
            let served = port.serve(&mut from_board, &mut to_board);
            match select(served, run).await {
                Either::First(never) => never,
                Either::Second(()) => {}
            }
        }
    };
    block_on(async {
        let all = select(run(board), hosts);
        with_timeout(WAIT_MAX * 3, all).await.expect("in time")
    });
}

/// Waits for the session to begin.
async fn opened(port: &Port) -> u32 {
    loop {
        while let Some(is_open) = port.poll(|event| event == Event::Opened) {
            if is_open {
                return port.session().expect("it is open");
            }
        }
        port.news().await;
    }
}

/// A reader that flips bits now and then.
struct Faulty<R> {
    line: R,
    damage: usize,
    seen: usize,
}

impl<R> Faulty<R> {
    fn new(line: R, damage: usize) -> Self {
        let seen = 0;
        Self { line, damage, seen }
    }
}

impl<R: ErrorType> ErrorType for Faulty<R> {
    type Error = R::Error;
}

impl<R: Read> Read for Faulty<R> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Self::Error> {
        let len = self.line.read(bytes).await?;
        for byte in &mut bytes[..len] {
            self.seen += 1;
            if self.damage > 0 && self.seen.is_multiple_of(self.damage) {
                *byte ^= 0x10;
            }
        }
        Ok(len)
    }
}

impl Host<'_> {
    pub async fn send(&self, message: ToBoard<'_>) {
        self.port
            .send(self.session, &message)
            .await
            .expect("the session is open");
    }

    /// The next message from the board; log entries are passed over.
    pub async fn receive<T>(&self, take: impl FnOnce(ToHost<'_>) -> T) -> T {
        let mut take = Some(take);
        let wait = async {
            loop {
                let taken = self.port.poll(|event| match event {
                    Event::Message(message) if message.channel == Channel::Log => {
                        message.decode::<Log<'_>>().expect("a log entry");
                        None
                    }
                    Event::Message(message) => {
                        let take = take.take().expect("one message is taken");
                        Some(take(message.decode().expect("a message to the host")))
                    }
                    other => panic!("not a message: {other:?}"),
                });
                match taken {
                    Some(Some(taken)) => return taken,
                    Some(None) => {}
                    None => self.port.news().await,
                }
            }
        };
        with_timeout(WAIT_MAX, wait).await.expect("in time")
    }

    pub async fn hello(&self) -> microtome_link::message::Identity {
        self.send(ToBoard::Hello { protocol: PROTOCOL }).await;
        self.receive(|message| match message {
            ToHost::Hello(identity) => identity,
            other => panic!("not a hello: {other:?}"),
        })
        .await
    }
}
