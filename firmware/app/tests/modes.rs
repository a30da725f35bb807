//! The two modes of acquisition, missed exposures, offload switched meanwhile, and the pins.

mod common;

use common::{BoardPin, Host, Levels, Setup, frame, store, with_board};
use embassy_time::Timer;
use microtome_answer::{Answer, Reading};
use microtome_link::message::{Acquisition, Answerer, ExecutorKind, FrameResult, Mode, Origin};
use microtome_link::{ToBoard, ToHost};
use std::rc::Rc;

const START: Acquisition = Acquisition {
    frames: 8,
    period_us: 0,
    offload: true,
    deadline_ms: 5000,
    mode: Mode::Rate,
};

/// What answers, so the host says.
const ANSWERER: Answerer = Answerer {
    plan: [1, 2, 3, 4, 5, 6, 7, 8],
    executor: ExecutorKind::Gpu,
};

/// A board that is unsure of every frame.
fn unsure() -> Setup {
    Setup {
        replay: store(&[frame(150)]),
        ..Setup::default()
    }
}

fn host_reading() -> Reading {
    Reading {
        answer: Answer::Class {
            class: 41,
            score: 255,
        },
        confidence: 255,
    }
}

/// What a host sees.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// A question with its whole frame.
    Question(u32),
    Result(Box<FrameResult>),
    Stopped,
}

async fn next(host: &Host<'_>, asked: &mut Option<(u32, usize)>) -> Seen {
    loop {
        let seen = host.receive(|message| match message {
            ToHost::Ask { frame, len, .. } => {
                *asked = Some((frame, len as usize));
                None
            }
            ToHost::Frame(piece) => {
                let (frame, len) = asked.expect("it asked");
                let is_whole = piece.offset as usize + piece.data.len() == len;
                is_whole.then_some(Seen::Question(frame))
            }
            ToHost::Result(result) => Some(Seen::Result(Box::new(result))),
            ToHost::Stopped { .. } => Some(Seen::Stopped),
            other => panic!("unexpected: {other:?}"),
        });
        if let Some(seen) = seen.await {
            return seen;
        }
    }
}

/// Answers every question after `delay_ms`, and gives the results and the largest number of
/// questions that were open at a time.
async fn acquire(host: &Host<'_>, start: Acquisition, delay_ms: u64) -> (Vec<FrameResult>, usize) {
    host.send(ToBoard::Start(start)).await;
    let (mut results, mut asked) = (Vec::new(), None);
    let (mut open, mut open_max) = (0, 0);
    loop {
        match next(host, &mut asked).await {
            Seen::Question(frame) => {
                open += 1;
                open_max = open_max.max(open);
                Timer::after_millis(delay_ms).await;
                let reading = host_reading();
                host.send(ToBoard::Answer {
                    frame,
                    reading,
                    answerer: ANSWERER,
                })
                .await;
            }
            Seen::Result(result) => {
                open -= usize::from(result.origin == Origin::Host);
                let through = result.sequence;
                results.push(*result);
                host.send(ToBoard::Stored { through }).await;
            }
            Seen::Stopped => return (results, open_max),
        }
    }
}

/// Whether each frame was exposed after the answer to the one before.
fn is_one_by_one(results: &[FrameResult]) -> bool {
    results
        .windows(2)
        .all(|pair| pair[0].times.answered <= pair[1].times.exposed)
}

#[test]
fn for_rate_the_next_frame_is_exposed_while_a_question_is_open() {
    with_board(unsure(), 1, async |host| {
        let (results, open_max) = acquire(&host, START, 5).await;
        assert_eq!((results.len(), open_max), (8, 2));
        assert!(!is_one_by_one(&results));
    });
}

#[test]
fn for_latency_a_frame_waits_until_nothing_is_under_way() {
    with_board(unsure(), 1, async |host| {
        let start = Acquisition {
            mode: Mode::Latency,
            ..START
        };
        let (results, open_max) = acquire(&host, start, 5).await;
        assert_eq!((results.len(), open_max), (8, 1));
        assert!(is_one_by_one(&results));
        assert!(results.iter().all(|result| result.missed == 0));
    });
}

/// Answers take longer than the period: exposures are missed, and results say so.
fn check_missed(mode: Mode) {
    with_board(unsure(), 1, async |host| {
        let start = Acquisition {
            period_us: 2000,
            mode,
            ..START
        };
        let (results, _) = acquire(&host, start, 7).await;
        assert_eq!(results.len(), 8);
        assert_eq!(results[0].missed, 0);
        assert!(results.iter().any(|result| result.missed > 0));
    });
}

#[test]
fn for_rate_missed_exposures_are_counted() {
    check_missed(Mode::Rate);
}

#[test]
fn for_latency_missed_exposures_are_counted() {
    check_missed(Mode::Latency);
}

#[test]
fn offload_is_switched_off_and_on_while_it_acquires() {
    with_board(unsure(), 1, async |host| {
        let start = Acquisition { frames: 0, ..START };
        host.send(ToBoard::Start(start)).await;
        let mut asked = None;
        // The first question stays open while offload is switched off.
        assert_eq!(next(&host, &mut asked).await, Seen::Question(0));
        host.send(ToBoard::Offload { allowed: false }).await;
        let mut on_board = 0;
        while on_board < 20 {
            match next(&host, &mut asked).await {
                // Frames that were exposed before the board heard of it.
                Seen::Question(frame) => {
                    assert_eq!((frame, on_board), (1, 0));
                    host.send(ToBoard::NoAnswer { frame }).await;
                }
                Seen::Result(result) => {
                    let is_second = result.frame == 1;
                    assert!(result.origin == Origin::Board || is_second, "{result:?}");
                    assert_ne!(result.frame, 0, "its question is open");
                    on_board += u32::from(result.origin == Origin::Board);
                    let through = result.sequence;
                    host.send(ToBoard::Stored { through }).await;
                }
                Seen::Stopped => panic!("it stopped"),
            }
        }
        // What was asked before is still answered.
        let reading = host_reading();
        host.send(ToBoard::Answer {
            frame: 0,
            reading,
            answerer: ANSWERER,
        })
        .await;
        host.send(ToBoard::Offload { allowed: true }).await;
        let (mut first, mut questions) = (None, 0);
        while first.is_none() || questions < 3 {
            match next(&host, &mut asked).await {
                Seen::Question(frame) => {
                    questions += 1;
                    host.send(ToBoard::NoAnswer { frame }).await;
                }
                Seen::Result(result) => {
                    if result.frame == 0 {
                        first = Some(result.origin);
                    }
                    let through = result.sequence;
                    host.send(ToBoard::Stored { through }).await;
                }
                Seen::Stopped => panic!("it stopped"),
            }
        }
        assert_eq!(first, Some(Origin::Host));
    });
}

#[test]
fn pins_tell_of_each_exposure_and_of_each_answer() {
    for mode in [Mode::Rate, Mode::Latency] {
        let setup = unsure();
        let levels: Levels = Rc::clone(&setup.levels);
        with_board(setup, 1, async |host| {
            let start = Acquisition { mode, ..START };
            acquire(&host, start, 1).await;
        });
        let levels = levels.borrow();
        let of = |pin| {
            let levels = levels.iter().filter(move |level| level.0 == pin);
            levels.map(|level| level.1).collect::<Vec<_>>()
        };
        // Both are low at first; then one pulse for each frame, and one edge for each answer.
        let pulses = [false, true].repeat(8);
        assert_eq!(of(BoardPin::Exposure), [&pulses[..], &[false]].concat());
        let edges = [false, true].repeat(4);
        assert_eq!(of(BoardPin::Answer), [&edges[..], &[false]].concat());
        if mode == Mode::Latency {
            let order = [BoardPin::Exposure, BoardPin::Exposure, BoardPin::Answer].repeat(8);
            let found: Vec<_> = levels.iter().skip(2).map(|level| level.0).collect();
            assert_eq!(found, order);
        }
    }
}
