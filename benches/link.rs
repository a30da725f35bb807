//! The link: one message through the frame codec, and a question with its whole frame there and
//! its answer back, over two ends that are joined in memory.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use microtome_answer::{Answer, Reading};
use microtome_link::message::{ANSWERER_PLAN_LEN, Answerer, ExecutorKind, PIECE_LEN_MAX, Piece};
use microtome_link::{Event, FRAME_LEN_MAX, Link, PROTOCOL, SendError, ToBoard, ToHost};

/// A frame of the shipped model: 160 × 120 pixels, RGB.
const FRAME_LEN: usize = 160 * 120 * 3;

/// Both ends, in session.
struct Ends {
    host: Link,
    board: Link,
    now_us: u64,
}

impl Ends {
    fn open() -> Self {
        let mut ends = Self {
            host: Link::host(1),
            board: Link::board(),
            now_us: 0,
        };
        while !(ends.host.is_open() && ends.board.is_open()) {
            ends.turn();
        }
        ends
    }

    /// Carries every frame that is ready across, and counts the messages that arrive.
    fn turn(&mut self) -> [usize; 2] {
        self.now_us += 1000;
        let mut out = [0; FRAME_LEN_MAX];
        while let Some(bytes) = self.host.poll_transmit(self.now_us, &mut out) {
            self.board.receive(bytes, self.now_us);
        }
        let at_board = messages(&mut self.board);
        while let Some(bytes) = self.board.poll_transmit(self.now_us, &mut out) {
            self.host.receive(bytes, self.now_us);
        }
        [at_board, messages(&mut self.host)]
    }

    /// Sends from the board, waiting for room.
    fn send_to_host(&mut self, message: &ToHost<'_>) {
        while self.board.send(message) == Err(SendError::Full) {
            self.turn();
        }
    }

    /// Carries on until the board has got a message.
    fn await_board(&mut self) {
        while self.turn()[0] == 0 {}
    }
}

/// Takes every message that has come.
fn messages(link: &mut Link) -> usize {
    let mut count = 0;
    while let Some(event) = link.poll_event() {
        count += usize::from(matches!(event, Event::Message(_)));
    }
    count
}

fn codec(criterion: &mut Criterion) {
    let mut ends = Ends::open();
    let data = [7; PIECE_LEN_MAX];
    let mut group = criterion.benchmark_group("link codec");
    group.throughput(Throughput::Bytes(PIECE_LEN_MAX as u64));
    group.bench_function("one piece, encoded, decoded, acknowledged", |bencher| {
        bencher.iter(|| {
            ends.send_to_host(&ToHost::Frame(Piece {
                offset: 0,
                data: &data,
            }));
            while !ends.board.is_flushed() {
                ends.turn();
            }
        });
    });
    group.finish();
}

fn round_trip(criterion: &mut Criterion) {
    let mut ends = Ends::open();
    let frame = vec![7; FRAME_LEN];
    let reading = Reading {
        answer: Answer::Class {
            class: 1,
            score: 200,
        },
        confidence: 200,
    };
    let mut group = criterion.benchmark_group("link round trip");
    group.bench_function("hello", |bencher| {
        bencher.iter(|| {
            let sent = ends.host.send(&ToBoard::Hello { protocol: PROTOCOL });
            assert_eq!(sent, Ok(()));
            ends.await_board();
        });
    });
    group.throughput(Throughput::Bytes(FRAME_LEN as u64));
    group.bench_function("a question with its frame, and the answer", |bencher| {
        bencher.iter(|| {
            let (len, deadline_ms) = (FRAME_LEN as u32, 200);
            ends.send_to_host(&ToHost::Ask {
                frame: 0,
                len,
                deadline_ms,
                reading: reading.clone(),
            });
            for (index, data) in frame.chunks(PIECE_LEN_MAX).enumerate() {
                let offset = (index * PIECE_LEN_MAX) as u32;
                ends.send_to_host(&ToHost::Frame(Piece { offset, data }));
            }
            while !ends.board.is_flushed() {
                ends.turn();
            }
            let answer = ToBoard::Answer {
                frame: 0,
                reading: reading.clone(),
                answerer: Answerer {
                    plan: [0; ANSWERER_PLAN_LEN],
                    executor: ExecutorKind::Cpu,
                },
            };
            assert_eq!(ends.host.send(&answer), Ok(()));
            ends.await_board();
        });
    });
    group.finish();
}

criterion_group!(benches, codec, round_trip);
criterion_main!(benches);
