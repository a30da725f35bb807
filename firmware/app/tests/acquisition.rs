//! Frames, results, and the cascade.

mod common;

use common::{CONFIDENCE_MIN, Host, Setup, with_board};
use embassy_time::Timer;
use microtome_answer::{Answer, Reading};
use microtome_link::message::{
    Acquisition, Answerer, ExecutorKind, FrameResult, HELD_MAX, Mode, Origin, Refusal,
};
use microtome_link::{ToBoard, ToHost};

const START: Acquisition = Acquisition {
    frames: 9,
    period_us: 0,
    offload: true,
    deadline_ms: 5000,
    mode: Mode::Rate,
};

fn host_reading() -> Reading {
    Reading {
        answer: Answer::Class {
            class: 41,
            score: 255,
        },
        confidence: 255,
    }
}

/// What answers, so the host says.
const ANSWERER: Answerer = Answerer {
    plan: [1, 2, 3, 4, 5, 6, 7, 8],
    executor: ExecutorKind::Gpu,
};

/// What the fake host does with a question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Answers,
    Declines,
    IsSilent,
}

/// What an acquisition brought.
#[derive(Default)]
struct Outcome {
    results: Vec<FrameResult>,
    /// Results of earlier acquisitions, which came before.
    earlier: Vec<FrameResult>,
    asked: Vec<u32>,
    stopped: Option<u32>,
}

/// Runs an acquisition to its end and answers the board's questions.
async fn acquire(host: &Host<'_>, start: Acquisition, manner: Manner) -> Outcome {
    let number = host.hello().await.acquisitions;
    host.send(ToBoard::Start(start)).await;
    let mut outcome = Outcome::default();
    let (mut frame, mut expected) = (Vec::new(), 0);
    while outcome.stopped.is_none() {
        let complete = host
            .receive(|message| match message {
                ToHost::Result(result) if result.acquisition < number => {
                    assert!(outcome.results.is_empty() && outcome.asked.is_empty());
                    let is_hosts = result.origin == Origin::Host;
                    assert_eq!(result.answerer, is_hosts.then_some(ANSWERER));
                    outcome.earlier.push(result);
                    None
                }
                ToHost::Result(result) => {
                    outcome.results.push(result);
                    None
                }
                ToHost::Ask {
                    frame: asked, len, ..
                } => {
                    outcome.asked.push(asked);
                    expected = len as usize;
                    frame.clear();
                    None
                }
                ToHost::Frame(piece) => {
                    assert_eq!(piece.offset as usize, frame.len());
                    frame.extend_from_slice(piece.data);
                    (frame.len() == expected).then(|| *outcome.asked.last().expect("it asked"))
                }
                ToHost::Stopped { frames } => {
                    outcome.stopped = Some(frames);
                    None
                }
                other => panic!("unexpected: {other:?}"),
            })
            .await;
        if let Some(number) = complete {
            assert_eq!(frame, common::frame(150), "the frame as it was exposed");
            match manner {
                Manner::Answers => {
                    let reading = host_reading();
                    host.send(ToBoard::Answer {
                        frame: number,
                        reading,
                        answerer: ANSWERER,
                    })
                    .await;
                }
                Manner::Declines => host.send(ToBoard::NoAnswer { frame: number }).await,
                Manner::IsSilent => {}
            }
        }
    }
    outcome
}

/// One result for each of the nine frames, and those of every third one (150 of 256) from
/// `unsure`.
fn check(mut outcome: Outcome, unsure: Origin) {
    assert_eq!(outcome.stopped, Some(9));
    outcome.results.sort_by_key(|result| result.frame);
    let frames: Vec<u32> = outcome.results.iter().map(|result| result.frame).collect();
    assert_eq!(frames, (0..9).collect::<Vec<_>>());
    for result in &outcome.results {
        let is_unsure = result.frame % 3 == 1;
        let expected = if is_unsure { unsure } else { Origin::Board };
        assert_eq!(result.origin, expected, "frame {}", result.frame);
        assert_eq!(result.board_confidence < CONFIDENCE_MIN, is_unsure);
        let is_hosts = expected == Origin::Host;
        assert_eq!(result.reading == host_reading(), is_hosts);
        assert_eq!(result.answerer, is_hosts.then_some(ANSWERER));
        let times = result.times;
        assert!(times.exposed <= times.begun && times.begun <= times.inferred);
        assert!(times.inferred <= times.answered);
        assert!(times.signalled.is_some_and(|at| at >= times.answered));
    }
}

#[test]
fn each_frame_has_one_result_and_unsure_ones_the_hosts() {
    with_board(Setup::default(), 1, async |host| {
        let outcome = acquire(&host, START, Manner::Answers).await;
        assert_eq!(outcome.asked, [1, 4, 7]);
        check(outcome, Origin::Host);
    });
}

#[test]
fn a_host_that_declines_leaves_the_boards_reading() {
    with_board(Setup::default(), 1, async |host| {
        let outcome = acquire(&host, START, Manner::Declines).await;
        check(outcome, Origin::BoardAfterNoAnswer);
    });
}

#[test]
fn a_deadline_that_passes_leaves_the_boards_reading() {
    with_board(Setup::default(), 1, async |host| {
        let start = Acquisition {
            deadline_ms: 30,
            ..START
        };
        check(
            acquire(&host, start, Manner::IsSilent).await,
            Origin::BoardAfterDeadline,
        );
    });
}

#[test]
fn a_board_that_may_not_ask_does_not() {
    with_board(Setup::default(), 1, async |host| {
        let start = Acquisition {
            offload: false,
            ..START
        };
        let outcome = acquire(&host, start, Manner::IsSilent).await;
        assert_eq!(outcome.asked, []);
        check(outcome, Origin::Board);
    });
}

#[test]
fn damage_on_the_line_loses_no_result() {
    let setup = Setup {
        damage: 1499,
        ..Setup::default()
    };
    with_board(setup, 1, async |host| {
        check(acquire(&host, START, Manner::Answers).await, Origin::Host);
    });
}

#[test]
fn a_new_host_ends_the_acquisition_of_the_one_before() {
    let endless = Acquisition {
        frames: 0,
        period_us: 1000,
        ..START
    };
    let mut is_first = true;
    with_board(Setup::default(), 2, async |host| {
        if std::mem::take(&mut is_first) {
            host.send(ToBoard::Start(endless)).await;
            for _ in 0..3 {
                host.receive(|_| ()).await;
            }
            return;
        }
        assert_eq!(host.hello().await.board, "test");
        check(acquire(&host, START, Manner::Answers).await, Origin::Host);
    });
}

#[test]
fn what_is_not_stored_comes_again_in_its_order() {
    let mut stored = Vec::new();
    let mut sessions = 0;
    with_board(Setup::default(), 4, async |host| {
        sessions += 1;
        let outcome = acquire(&host, START, Manner::Answers).await;
        let results: Vec<u64> = (outcome.earlier.iter())
            .chain(&outcome.results)
            .map(|result| result.sequence)
            .collect();
        let first = stored.len() as u64;
        assert_eq!(results, (first..sessions * 9).collect::<Vec<_>>());
        // The host dies when it has stored some of them.
        let through = first + 6;
        stored.extend(first..=through);
        host.send(ToBoard::Stored { through }).await;
        host.hello().await;
    });
}

#[test]
fn a_board_whose_results_are_not_stored_waits_and_goes_on() {
    with_board(Setup::default(), 1, async |host| {
        let endless = Acquisition {
            frames: 0,
            offload: false,
            ..START
        };
        host.send(ToBoard::Start(endless)).await;
        let mut next = 0;
        for stored in [HELD_MAX as u64, 3, 5] {
            for _ in 0..stored {
                host.receive(|message| match message {
                    ToHost::Result(result) => assert_eq!(result.sequence, next),
                    other => panic!("unexpected: {other:?}"),
                })
                .await;
                next += 1;
            }
            // It lives, but nothing comes before its answer.
            host.hello().await;
            let through = next - HELD_MAX as u64 + if stored == 3 { 4 } else { 2 };
            host.send(ToBoard::Stored { through }).await;
        }
    });
}

#[test]
fn a_session_that_ends_leaves_no_exposed_frame_without_its_result() {
    let mut is_first = true;
    with_board(Setup::default(), 2, async |host| {
        if std::mem::take(&mut is_first) {
            // Dies with a question open.
            host.send(ToBoard::Start(START)).await;
            while !host
                .receive(|message| matches!(message, ToHost::Frame(_)))
                .await
            {}
            return;
        }
        let outcome = acquire(&host, START, Manner::Answers).await;
        let mut frames: Vec<u32> = outcome.earlier.iter().map(|result| result.frame).collect();
        frames.sort_unstable();
        assert_eq!(frames, (0..frames.len() as u32).collect::<Vec<_>>());
        let asked = outcome.earlier.iter().find(|result| result.frame == 1);
        assert_eq!(asked.expect("frame 1").origin, Origin::BoardAfterNoAnswer);
        check(outcome, Origin::Host);
    });
}

#[test]
fn stop_ends_an_endless_acquisition_and_others_are_refused_meanwhile() {
    with_board(Setup::default(), 1, async |host| {
        let endless = Acquisition {
            frames: 0,
            period_us: 2000,
            offload: false,
            ..START
        };
        host.send(ToBoard::Start(endless)).await;
        host.send(ToBoard::Start(endless)).await;
        Timer::after_millis(20).await;
        host.send(ToBoard::Stop).await;
        let (mut results, mut refused) = (0, false);
        loop {
            let stopped = host
                .receive(|message| match message {
                    ToHost::Result(result) => {
                        assert_eq!(result.frame, results);
                        results += 1;
                        None
                    }
                    ToHost::Refused(refusal) => {
                        assert_eq!(refusal, Refusal::Busy);
                        refused = true;
                        None
                    }
                    ToHost::Stopped { frames } => Some(frames),
                    other => panic!("unexpected: {other:?}"),
                })
                .await;
            if let Some(frames) = stopped {
                assert_eq!(frames, results);
                assert!(frames > 0 && refused);
                return;
            }
        }
    });
}

#[test]
fn an_empty_replay_store_is_a_sensor_that_fails() {
    let setup = Setup {
        replay: Vec::new(),
        ..Setup::default()
    };
    with_board(setup, 1, async |host| {
        host.send(ToBoard::Start(START)).await;
        host.receive(|message| assert_eq!(message, ToHost::Refused(Refusal::Sensor)))
            .await;
        host.receive(|message| assert_eq!(message, ToHost::Stopped { frames: 0 }))
            .await;
    });
}
