//! The offload queue: who is run first and with whom, who is refused, and what becomes of the work of
//! an executor that fails.

use crate::support::heavy;
use microtome_backend::{Backend, BackendError, Inputs, Outputs};
use microtome_daemon::offload::{NoAnswer, Opened, Priority, Question, Verdict};
use microtome_daemon::{Executors, GpuPolicy, Offload};
use microtome_plan::PlanBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Runs nothing: after it was opened, it tells of each batch and waits until it may go on.
struct Gate {
    is_new: bool,
    batches: Sender<Vec<u8>>,
    go: Receiver<bool>,
}

impl Backend for Gate {
    fn name(&self) -> String {
        "gate".into()
    }

    fn batch_max(&self) -> usize {
        8
    }

    fn run(&mut self, samples: &[Inputs<'_>]) -> Result<Vec<Outputs>, BackendError> {
        if !std::mem::take(&mut self.is_new) {
            let firsts = samples.iter().map(|inputs| inputs[0][0]).collect();
            self.batches.send(firsts).unwrap();
            if !self.go.recv().unwrap() {
                return Err(BackendError::Failed {
                    executor: "gate",
                    cause: "told to".into(),
                });
            }
        }
        let output = |inputs: &Inputs<'_>| vec![inputs[0].to_vec()];
        Ok(samples.iter().map(output).collect())
    }
}

/// A queue on gates; each is opened when the one before has failed.
struct Bench {
    offload: Offload,
    plan: Arc<PlanBuf>,
    batches: Receiver<Vec<u8>>,
    go: Vec<Sender<bool>>,
    verdicts: (mpsc::Sender<Verdict>, mpsc::Receiver<Verdict>),
}

impl Bench {
    fn new(queue_len: usize, gates: usize) -> Self {
        let plan = Arc::new(heavy());
        let (told, batches) = channel();
        let (go, mut waits): (Vec<_>, Vec<_>) = (0..gates).map(|_| channel()).unzip();
        let mut opened = 0;
        let open = move |_: &PlanBuf| -> Opened {
            opened += 1;
            let gate = Gate {
                is_new: true,
                batches: told.clone(),
                go: waits.remove(0),
            };
            Ok((Box::new(gate), format!("gate {opened}")))
        };
        Self {
            offload: Offload::start(&[Arc::clone(&plan)], queue_len, open).unwrap(),
            plan,
            batches,
            go,
            verdicts: mpsc::channel(64),
        }
    }

    fn question(&self, frame: u8, priority: Priority, deadline_ms: u64) -> Question {
        let len = self.plan.plan().manifest().inputs[0].len_bytes();
        Question {
            frame: frame.into(),
            plan: Arc::clone(&self.plan),
            values: vec![frame; len],
            priority,
            deadline: Instant::now() + Duration::from_millis(deadline_ms),
            reply: self.verdicts.0.clone(),
        }
    }

    fn ask(&self, frame: u8, priority: Priority, deadline_ms: u64) -> Result<(), NoAnswer> {
        self.offload
            .submit(self.question(frame, priority, deadline_ms))
    }

    /// Lets the first gate be busy with frame 0.
    fn occupy(&self) {
        self.ask(0, Priority::Board, 60_000).unwrap();
        assert_eq!(self.batches.recv().unwrap(), [0]);
    }

    fn verdict(&mut self) -> Verdict {
        self.verdicts.1.blocking_recv().unwrap()
    }
}

const HOUR: u64 = 3_600_000;

#[test]
fn boards_come_first_and_then_the_earliest_deadline_and_a_batch_runs_together() {
    let mut bench = Bench::new(16, 1);
    bench.occupy();
    bench.ask(1, Priority::Background, 1_000_000).unwrap();
    bench.ask(2, Priority::Board, HOUR).unwrap();
    bench.ask(3, Priority::Board, 2_000_000).unwrap();
    bench.go[0].send(true).unwrap();
    assert_eq!(bench.batches.recv().unwrap(), [3, 2, 1]);
    bench.go[0].send(true).unwrap();
    let frames: Vec<u32> = (0..4).map(|_| bench.verdict().frame).collect();
    assert_eq!(frames, [0, 3, 2, 1]);
}

#[test]
fn a_full_queue_refuses_but_a_board_displaces_the_background() {
    let mut bench = Bench::new(2, 1);
    bench.occupy();
    bench.ask(1, Priority::Background, HOUR).unwrap();
    bench.ask(2, Priority::Background, HOUR).unwrap();
    let refused = bench.ask(3, Priority::Background, HOUR);
    assert_eq!(refused, Err(NoAnswer::QueueFull));
    bench.ask(4, Priority::Board, HOUR).unwrap();
    let displaced = bench.verdict();
    assert_eq!(displaced.frame, 2);
    assert_eq!(displaced.outcome.unwrap_err(), NoAnswer::Displaced);
    bench.ask(5, Priority::Board, HOUR).unwrap();
    assert_eq!(bench.verdict().frame, 1);
    assert_eq!(
        bench.ask(6, Priority::Board, HOUR),
        Err(NoAnswer::QueueFull)
    );
    drop(bench.go);
}

#[test]
fn what_is_late_or_cancelled_does_not_run() {
    let mut bench = Bench::new(16, 1);
    bench.occupy();
    bench.ask(1, Priority::Board, 0).unwrap();
    let (reply, closed) = mpsc::channel(1);
    drop(closed);
    let cancelled = Question {
        reply,
        ..bench.question(2, Priority::Board, HOUR)
    };
    bench.offload.submit(cancelled).unwrap();
    bench.ask(3, Priority::Board, HOUR).unwrap();
    bench.go[0].send(true).unwrap();
    assert_eq!(bench.batches.recv().unwrap(), [3]);
    bench.go[0].send(true).unwrap();
    assert_eq!(bench.verdict().frame, 0);
    let late = bench.verdict();
    assert_eq!((late.frame, late.outcome.unwrap_err()), (1, NoAnswer::Late));
    assert_eq!(bench.verdict().frame, 3);
}

#[test]
fn the_work_of_an_executor_that_fails_is_done_by_the_next() {
    let mut bench = Bench::new(16, 2);
    bench.occupy();
    bench.go[0].send(false).unwrap();
    assert_eq!(bench.batches.recv().unwrap(), [0], "the same batch again");
    bench.go[1].send(true).unwrap();
    let answer = bench.verdict().outcome.unwrap();
    assert_eq!(&*answer.executor, "gate 2");
}

#[test]
fn a_batch_whose_second_executor_fails_too_has_no_answer_and_the_queue_goes_on() {
    let mut bench = Bench::new(16, 2);
    bench.occupy();
    bench.go[0].send(false).unwrap();
    bench.batches.recv().unwrap();
    bench.go[1].send(false).unwrap();
    let why = bench.verdict().outcome.unwrap_err();
    assert!(matches!(why, NoAnswer::Executor(_)), "{why}");
    bench.ask(1, Priority::Board, HOUR).unwrap();
    assert_eq!(bench.batches.recv().unwrap(), [1]);
    bench.go[1].send(true).unwrap();
    assert_eq!(bench.verdict().frame, 1);
}

#[test]
fn a_lost_device_is_opened_anew() {
    let mut executors = Executors::choose(GpuPolicy::SoftwareOk);
    let Some(gpu) = executors.gpu().cloned() else {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"skipped: a lost device is opened anew: there is no adapter\n",
        );
        return;
    };
    let plan = Arc::new(heavy());
    let open = move |plan: &PlanBuf| executors.open(plan);
    let offload = Offload::start(&[Arc::clone(&plan)], 4, open).unwrap();
    let (reply, mut verdicts) = mpsc::channel(4);
    for frame in 0..3 {
        if frame == 1 {
            gpu.destroy();
        }
        let question = Question {
            frame,
            plan: Arc::clone(&plan),
            values: vec![7; plan.plan().manifest().inputs[0].len_bytes()],
            priority: Priority::Board,
            deadline: Instant::now() + Duration::from_secs(60),
            reply: reply.clone(),
        };
        offload.submit(question).unwrap();
        let answer = verdicts.blocking_recv().unwrap().outcome.unwrap();
        assert!(answer.executor.starts_with("gpu"), "{}", answer.executor);
    }
    assert!(gpu.lost().is_some());
}
