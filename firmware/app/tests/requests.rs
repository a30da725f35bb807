//! Single runs, and what is refused.

mod common;

use common::{Host, LEN, Setup, frame, with_board};
use microtome_link::message::{InputSource, PIECE_LEN_MAX, Piece, Refusal};
use microtome_link::{PROTOCOL, ToBoard, ToHost};

/// What a run brought: outputs, cost of each step, cost of all.
struct Done {
    output: Vec<u8>,
    steps: Vec<u64>,
    ticks: u64,
}

async fn run(host: &Host<'_>, input: InputSource, profile: bool) -> Result<Done, Refusal> {
    host.send(ToBoard::Run {
        run: 5,
        input,
        profile,
    })
    .await;
    let (mut output, mut steps) = (Vec::new(), Vec::new());
    loop {
        let ended = host
            .receive(|message| match message {
                ToHost::StepCost { run, step, ticks } => {
                    assert_eq!((run, usize::from(step)), (5, steps.len()));
                    steps.push(ticks);
                    None
                }
                ToHost::Output(piece) => {
                    assert_eq!(piece.offset as usize, output.len());
                    output.extend_from_slice(piece.data);
                    None
                }
                ToHost::RunDone { run, ticks } => {
                    assert_eq!(run, 5);
                    Some(Ok(ticks))
                }
                ToHost::Refused(refusal) => Some(Err(refusal)),
                other => panic!("unexpected: {other:?}"),
            })
            .await;
        match ended {
            None => {}
            Some(Ok(ticks)) => {
                return Ok(Done {
                    output,
                    steps,
                    ticks,
                });
            }
            Some(Err(refusal)) => return Err(refusal),
        }
    }
}

async fn send_input(host: &Host<'_>, input: &[u8]) {
    for (index, data) in input.chunks(PIECE_LEN_MAX).enumerate() {
        let offset = (index * PIECE_LEN_MAX) as u32;
        host.send(ToBoard::Input(Piece { offset, data })).await;
    }
}

#[test]
fn a_run_returns_the_outputs_of_its_input() {
    with_board(Setup::default(), 1, async |host| {
        let input: Vec<u8> = (0..LEN).map(|at| at as u8).collect();
        let clamped: Vec<u8> = input.iter().map(|&x| (x as i8).min(100) as u8).collect();
        send_input(&host, &input).await;
        for profile in [false, true] {
            let done = run(&host, InputSource::Link, profile).await.expect("a run");
            assert_eq!(done.output, clamped);
            assert_eq!(done.steps.len(), if profile { 2 } else { 0 });
            assert!(done.ticks < 1_000_000);
        }
        let done = run(&host, InputSource::Replay(1), false)
            .await
            .expect("a run");
        assert_eq!(done.output, frame(150));
    });
}

#[test]
fn bad_input_is_refused() {
    with_board(Setup::default(), 1, async |host| {
        let missing = Some(Refusal::BadInput);
        assert_eq!(run(&host, InputSource::Link, false).await.err(), missing);
        send_input(&host, &[0; LEN - 1]).await;
        assert_eq!(run(&host, InputSource::Link, false).await.err(), missing);
        send_input(&host, &[0; LEN + 1]).await;
        assert_eq!(run(&host, InputSource::Link, false).await.err(), missing);
        let outside = Piece {
            offset: u32::MAX,
            data: &[1; 2],
        };
        host.send(ToBoard::Input(outside)).await;
        assert_eq!(run(&host, InputSource::Link, false).await.err(), missing);
        let none = Some(Refusal::NoFrame { frames: 3 });
        assert_eq!(run(&host, InputSource::Replay(3), false).await.err(), none);
        let far = InputSource::Replay(u32::MAX);
        assert_eq!(run(&host, far, false).await.err(), none);
    });
}

#[test]
fn a_host_of_another_protocol_is_refused() {
    with_board(Setup::default(), 1, async |host| {
        host.send(ToBoard::Hello { protocol: 99 }).await;
        let refused = ToHost::Refused(Refusal::Protocol { board: PROTOCOL });
        host.receive(|message| assert_eq!(message, refused)).await;
    });
}

/// A board that can not run its plan says why and refuses to run.
fn check_fault(setup: Setup, model: &str, fault: &str) {
    with_board(setup, 1, async |host| {
        let identity = host.hello().await;
        assert_eq!(identity.model, model);
        assert_eq!(identity.plan_fault.as_deref(), Some(fault));
        let refused = run(&host, InputSource::Link, false).await.err();
        assert_eq!(refused, Some(Refusal::NoPlan));
    });
}

#[test]
fn a_board_without_a_plan_says_so() {
    let setup = Setup {
        plan: vec![0xFF; 256],
        ..Setup::default()
    };
    let fault = "this is not a plan: make one with `microtome compile`";
    check_fault(setup, "", fault);
}

#[test]
fn a_damaged_plan_is_not_run() {
    let mut setup = Setup::default();
    setup.plan[100] ^= 1;
    let fault = "the plan is damaged: its digest does not match; copy or compile it again";
    check_fault(setup, "", fault);
}

#[test]
fn a_plan_that_needs_more_memory_is_not_run() {
    let setup = Setup {
        memory_len: 1600,
        ..Setup::default()
    };
    let fault = "the plan needs an arena of 1800 bytes, this one has 1600";
    check_fault(setup, "clamp", fault);
}

#[test]
fn the_identity_tells_plan_and_replay_store() {
    with_board(Setup::default(), 1, async |host| {
        let identity = host.hello().await;
        assert_eq!(identity.plan, common::plan().digest());
        assert_eq!((identity.replay_frames, identity.arena_bytes), (3, 4096));
        assert_eq!(identity.plan_fault, None);
        assert_eq!(identity.unit, "bench 1");
    });
}

#[test]
fn a_start_keeps_the_first_name_that_it_is_given() {
    with_board(Setup::default(), 2, async |host| {
        let before = host.hello().await.boot;
        assert!(before == 0 || before == 41);
        host.send(ToBoard::Boot { boot: before + 41 }).await;
        assert_eq!(host.hello().await.boot, 41);
    });
}

#[test]
fn the_clock_is_told_with_what_the_host_asked_with() {
    with_board(Setup::default(), 1, async |host| {
        let mut before = 0;
        for host_us in [7, u64::MAX] {
            host.send(ToBoard::Clock { host_us }).await;
            let told = host.receive(|message| match message {
                ToHost::Clock { host_us, ticks } => (host_us, ticks),
                other => panic!("not a clock: {other:?}"),
            });
            let (asked_with, ticks) = told.await;
            assert_eq!(asked_with, host_us);
            assert!(ticks >= before);
            before = ticks;
        }
    });
}
