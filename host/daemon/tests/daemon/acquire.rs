//! Acquisition from end to end, against a board in memory: session, offload, journal, counts.

use crate::support::{FRAME_LEN, FakeBoard, faulty, heavy, light, plans, records};
use microtome_backend::{Backend, BackendError, CpuBackend, Inputs, Outputs};
use microtome_daemon::session::Fault;
use microtome_daemon::{
    AcquireError, DeviceLog, Instrument, Keep, Offload, Services, Session, Stop, Stopper, stop,
};
use microtome_journal::record::Origin;
use microtome_journal::{
    Calibration, Filter, Format, Hash, Journal, Reader, Record, Retention, audit,
};
use microtome_ledger::Leg;
use microtome_link::message::{Acquisition, Answerer, ExecutorKind, Mode};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::DuplexStream;
use tokio::sync::watch;

const HOW: Acquisition = Acquisition {
    frames: 20,
    period_us: 0,
    offload: true,
    deadline_ms: 60_000,
    mode: Mode::Rate,
};

/// An executor that runs when it may.
struct Gated(CpuBackend, Arc<AtomicBool>);

impl Backend for Gated {
    fn name(&self) -> String {
        "gated".to_owned()
    }

    fn run(&mut self, samples: &[Inputs<'_>]) -> Result<Vec<Outputs>, BackendError> {
        while self.1.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.0.run(samples)
    }
}

struct Bench {
    folder: TempDir,
    services: Arc<Services>,
    /// While it is shut, the executor does not run.
    is_shut: Arc<AtomicBool>,
    /// Keeps the wish from being taken for never.
    _stopper: Stopper,
    stop: Stop,
}

impl Bench {
    fn new(queue_len: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let is_shut = Arc::new(AtomicBool::new(false));
        let shut = Arc::clone(&is_shut);
        let open = move |plan: &microtome_plan::PlanBuf| {
            let backend = Gated(CpuBackend::new(plan.clone()), Arc::clone(&shut));
            Ok((
                Box::new(backend) as Box<dyn Backend>,
                "cpu (test)".to_owned(),
            ))
        };
        let plans = plans();
        let offload = Offload::start(&plans.heavier(), queue_len, open).unwrap();
        let journal = Journal::open(&folder.path().join("j"), Retention::default()).unwrap();
        let services = Arc::new(Services {
            plans,
            offload: Some(offload),
            journal,
            ledger: Arc::default(),
        });
        let (stopper, stop) = stop();
        Self {
            folder,
            services,
            is_shut,
            _stopper: stopper,
            stop,
        }
    }

    async fn instrument(&self, wire: DuplexStream) -> Instrument {
        let session = Session::over(wire, DeviceLog::new("scope")).await.unwrap();
        Instrument::new(session, Arc::clone(&self.services))
    }

    /// Ends the journal; the folder that it is in.
    fn close(self) -> TempDir {
        drop(self.services);
        self.folder
    }

    fn lines(&self) -> Vec<Value> {
        records(&self.folder.path().join("j"))
    }
}

#[tokio::test]
async fn results_of_board_and_host_reach_the_journal() {
    let mut bench = Bench::new(4);
    let board = FakeBoard {
        ask_every: 4,
        ..FakeBoard::default()
    };
    let mut instrument = bench.instrument(board.start()).await;
    let mut seen = 0;
    instrument
        .acquire(HOW, &mut bench.stop, &mut |_| seen += 1)
        .await
        .unwrap();

    let summary = instrument.summary();
    assert_eq!(
        (summary.frames, summary.on_board, summary.offloaded),
        (20, 15, 5)
    );
    assert_eq!((summary.lost, summary.late, summary.unanswered), (0, 0, 0));
    assert_eq!(seen, 20);

    let lines = bench.lines();
    let frames: Vec<_> = lines
        .iter()
        .map(|line| line["frame"].as_u64().unwrap())
        .collect();
    assert_eq!(frames, (0..20).collect::<Vec<_>>());
    let (host, board) = (&lines[4], &lines[5]);
    assert_eq!(host["origin"], "host");
    assert_eq!(host["executor"], "cpu (test)");
    assert_eq!(host["heavier"]["model"], "heavy");
    assert_eq!(host["heavier"]["plan"].as_str().unwrap().len(), 64);
    // The host sees class 2, with the score that the requantized value has.
    assert_eq!(host["answer"]["class"]["class"], "platelet");
    assert_eq!(host["answer"]["class"]["score"], 228.0 / 256.0);
    for leg in [
        "wait",
        "inference",
        "to_host",
        "queue",
        "executor",
        "to_board",
        "total",
    ] {
        assert!(host["latency_us"][leg].is_u64(), "{leg}");
    }
    assert_eq!(board["origin"], "board");
    assert_eq!(board["executor"], "board");
    assert_eq!(board["answer"]["class"]["class"], "red");
    assert_eq!(board["latency_us"]["inference"], 100);
    assert!(board["heavier"].is_null() && board["latency_us"]["queue"].is_null());
}

#[tokio::test]
async fn every_result_has_its_provenance() {
    let mut bench = Bench::new(4);
    let calibration = Calibration {
        name: "2026-11-02, 20x".to_owned(),
        pixel_size_nm: Some(325),
    };
    let instrument = bench.instrument(FakeBoard::default().start()).await;
    let mut instrument = instrument.calibrated(Some(calibration));
    let how = Acquisition {
        period_us: 1000,
        ..HOW
    };
    instrument
        .acquire(how, &mut bench.stop, &mut |_| ())
        .await
        .unwrap();
    let mut out = Vec::new();
    let reader = Reader::open(&bench.folder.path().join("j")).unwrap();
    microtome_journal::export(&reader, &Filter::default(), Format::Jsonl, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 20);
    for (number, line) in lines.iter().enumerate() {
        let provenance = &line["provenance"];
        assert_eq!(provenance["device"], "scope");
        assert_eq!(provenance["board"], "fake");
        assert_eq!(provenance["unit"], "no. 7");
        assert_eq!(provenance["firmware"], "1.2.3");
        assert_eq!(provenance["model"], "light");
        assert_eq!(provenance["plan"], Hash(light().digest()).to_string());
        assert_eq!(provenance["calibration"]["pixel_size_nm"], 325);
        let daemon = provenance["daemon"].as_str().unwrap();
        assert!(daemon.contains(" (sha256 "), "{daemon}");
        let record = &line["record"];
        assert_eq!(record["sequence"], number);
        assert_eq!(record["acquisition"], 0);
        assert_eq!(record["boot"].as_str().unwrap().len(), 16);
        assert!(record["ticks"]["exposed"].is_u64());
        assert!(record["clock"]["offset_us"].is_i64(), "{record}");
        assert!(record["clock"]["uncertainty_us"].is_u64());
    }
}

#[tokio::test]
async fn a_faulty_wire_loses_and_repeats_nothing() {
    let mut bench = Bench::new(4);
    let board = FakeBoard {
        ask_every: 5,
        ..FakeBoard::default()
    };
    let (host, near) = tokio::io::duplex(256);
    tokio::spawn(faulty(near, board.start(), 1500));
    let mut instrument = bench.instrument(host).await;
    instrument
        .acquire(HOW, &mut bench.stop, &mut |_| ())
        .await
        .unwrap();
    let summary = instrument.summary();
    assert_eq!(
        (summary.frames, summary.offloaded, summary.lost),
        (20, 4, 0)
    );
    let frames: Vec<_> = bench
        .lines()
        .iter()
        .map(|line| line["frame"].as_u64().unwrap())
        .collect();
    assert_eq!(frames, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_received_stays_when_the_device_vanishes() {
    let mut bench = Bench::new(4);
    let board = FakeBoard {
        vanish_after: Some(7),
        ..FakeBoard::default()
    };
    let mut instrument = bench.instrument(board.start()).await;
    let error = instrument
        .acquire(HOW, &mut bench.stop, &mut |_| ())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("scope: the device vanished"),
        "{error}"
    );
    let received = instrument.summary().frames;
    // Some may have reached the journal without being counted before the session broke.
    drop(instrument);
    let bench = bench.close();
    let recorded = records(&bench.path().join("j")).len() as u64;
    assert!(
        (received.max(3)..=7).contains(&recorded),
        "{received}, {recorded}"
    );
}

#[tokio::test]
async fn a_board_that_restarts_ends_the_session() {
    let mut bench = Bench::new(4);
    let board = FakeBoard {
        restart_after: Some(3),
        ..FakeBoard::default()
    };
    let mut instrument = bench.instrument(board.start()).await;
    let error = instrument
        .acquire(HOW, &mut bench.stop, &mut |_| ())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("the board restarted"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_board_that_hangs_is_given_up() {
    let mut bench = Bench::new(4);
    let board = FakeBoard {
        hang_after: Some(3),
        ..FakeBoard::default()
    };
    let mut instrument = bench.instrument(board.start()).await;
    let error = instrument
        .acquire(HOW, &mut bench.stop, &mut |_| ())
        .await
        .unwrap_err();
    let AcquireError::Session(error) = error else {
        panic!("{error}")
    };
    assert!(matches!(error.fault, Fault::Stalled), "{error}");
}

#[tokio::test]
async fn a_full_queue_leaves_the_answer_to_the_board_at_once() {
    let mut bench = Bench::new(1);
    bench.is_shut.store(true, Ordering::Relaxed);
    let board = FakeBoard {
        ask_every: 1,
        ..FakeBoard::default()
    };
    // Two other boards have a question in the executor and one in the queue.
    let mut others = Vec::new();
    for _ in 0..2 {
        let mut other = bench.instrument(board.start()).await;
        let mut stop = bench.stop.clone();
        others.push(tokio::spawn(async move {
            let how = Acquisition { frames: 1, ..HOW };
            other.acquire(how, &mut stop, &mut |_| ()).await.unwrap();
            other.summary()
        }));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut instrument = bench.instrument(board.start()).await;
    instrument
        .acquire(HOW, &mut bench.stop, &mut |_| ())
        .await
        .unwrap();
    let summary = instrument.summary();
    assert_eq!(
        (summary.frames, summary.unanswered, summary.on_board),
        (20, 20, 20)
    );
    assert!(
        bench
            .lines()
            .iter()
            .all(|line| line["origin"] == "board_after_no_answer")
    );

    bench.is_shut.store(false, Ordering::Relaxed);
    for other in others {
        assert_eq!(other.await.unwrap().offloaded, 1);
    }
}

#[tokio::test]
async fn an_answer_after_the_deadline_does_not_count() {
    let mut bench = Bench::new(4);
    bench.is_shut.store(true, Ordering::Relaxed);
    let board = FakeBoard {
        ask_every: 1,
        ..FakeBoard::default()
    };
    let mut instrument = bench.instrument(board.start()).await;
    let how = Acquisition {
        frames: 2,
        deadline_ms: 50,
        ..HOW
    };
    instrument
        .acquire(how, &mut bench.stop, &mut |_| ())
        .await
        .unwrap();
    let summary = instrument.summary();
    assert_eq!((summary.frames, summary.late, summary.offloaded), (2, 2, 0));
    bench.is_shut.store(false, Ordering::Relaxed);
}

#[tokio::test]
async fn the_wish_to_stop_ends_an_endless_acquisition_with_nothing_lost() {
    let mut bench = Bench::new(4);
    let (stopper, mut stop) = stop();
    let mut instrument = bench.instrument(FakeBoard::default().start()).await;
    let how = Acquisition {
        frames: 0,
        period_us: 1000,
        ..HOW
    };
    let mut left = 10;
    let seen = &mut |_: &Record| {
        left -= 1;
        if left == 0 {
            stopper.stop();
        }
    };
    instrument.acquire(how, &mut stop, seen).await.unwrap();
    let summary = instrument.summary();
    assert!(summary.frames >= 10 && summary.lost == 0, "{summary:?}");
    assert_eq!(bench.lines().len() as u64, summary.frames);
    bench.stop = stop;
}

#[tokio::test]
async fn offload_is_switched_while_it_acquires() {
    let bench = Bench::new(4);
    let (stopper, mut stop) = stop();
    let board = FakeBoard {
        ask_every: 1,
        ..FakeBoard::default()
    };
    let (switch, switched) = watch::channel(false);
    let instrument = bench.instrument(board.start()).await;
    let mut instrument = instrument.switched(Some(switched));
    let how = Acquisition {
        frames: 0,
        period_us: 1000,
        ..HOW
    };
    // Ten without the host, ten with it, ten without.
    let mut counts = [0; 3];
    let seen = &mut |record: &Record| {
        let is_on = *switch.borrow();
        let phase = match (is_on, counts[1]) {
            (true, _) => 1,
            (false, 0) => 0,
            (false, _) => 2,
        };
        let is_host = record.origin == Origin::Host;
        assert!(phase > 0 || !is_host, "{record:?}");
        counts[phase] += usize::from(is_host == is_on);
        match (phase, counts[phase]) {
            (0, 10) => _ = switch.send_replace(true),
            (1, 10) => _ = switch.send_replace(false),
            (2, 10) => stopper.stop(),
            _ => {}
        }
    };
    instrument.acquire(how, &mut stop, seen).await.unwrap();
    assert!(counts.iter().all(|&count| count >= 10), "{counts:?}");
    assert_eq!(instrument.summary().lost, 0);
}

#[tokio::test]
async fn a_board_that_is_never_answered_in_time_is_told_not_to_ask() {
    let mut bench = Bench::new(4);
    bench.is_shut.store(true, Ordering::Relaxed);
    let board = FakeBoard {
        ask_every: 1,
        ..FakeBoard::default()
    };
    let mut instrument = bench.instrument(board.start()).await;
    let how = Acquisition {
        frames: 60,
        period_us: 1000,
        deadline_ms: 2,
        ..HOW
    };
    instrument
        .acquire(how, &mut bench.stop, &mut |_| ())
        .await
        .unwrap();
    let summary = instrument.summary();
    let alone = summary.on_board - summary.late - summary.unanswered;
    assert!(summary.frames == 60 && alone > 0, "{summary:?}");
    assert!(60 - alone >= 20, "{summary:?}");
    bench.is_shut.store(false, Ordering::Relaxed);
}

#[tokio::test]
async fn the_ledger_has_what_the_journal_has() {
    let mut bench = Bench::new(4);
    let board = FakeBoard {
        ask_every: 4,
        missed: 2,
        ..FakeBoard::default()
    };
    let mut instrument = bench.instrument(board.start()).await;
    let seen = &mut |_: &Record| ();
    let acquired = instrument.acquire(HOW, &mut bench.stop, seen).await;
    acquired.unwrap();
    assert_eq!(instrument.summary().missed, 40);
    let ledger = &bench.services.ledger;
    let snapshot = ledger.snapshot("scope").unwrap();
    let counts = snapshot.counts;
    assert_eq!((counts.results, counts.offloaded), (20, 5));
    assert_eq!((counts.missed, counts.lost), (40, 0));
    let total = snapshot.latency_us.get(Leg::Total).unwrap();
    let lines = bench.lines();
    let totals = lines.iter().map(|line| &line["latency_us"]["total"]);
    let longest = totals.map(|us| us.as_u64().unwrap()).max();
    assert_eq!((total.count, Some(total.max)), (20, longest));
    assert_eq!(snapshot.latency_us.get(Leg::Queue).unwrap().count, 5);
    assert_eq!(lines[3]["missed"], 2);
}

#[tokio::test]
async fn a_board_without_cascade_is_not_allowed_to_ask() {
    let bench = Bench::new(4);
    let journal = Journal::open(&bench.folder.path().join("alone"), Retention::default()).unwrap();
    let plans = [heavy()].into_iter().collect();
    let services = Arc::new(Services {
        plans,
        offload: None,
        journal,
        ledger: Arc::default(),
    });
    let board = FakeBoard {
        ask_every: 1,
        ..FakeBoard::default()
    };
    let session = Session::over(board.start(), DeviceLog::new("scope"))
        .await
        .unwrap();
    let mut instrument = Instrument::new(session, services);
    instrument
        .acquire(HOW, &mut bench.stop.clone(), &mut |_| ())
        .await
        .unwrap();
    assert_eq!(instrument.summary().on_board, 20);
    // Its plan is not known: its class has no name.
    let lines = records(&bench.folder.path().join("alone"));
    assert_eq!(lines[0]["answer"]["class"]["class"], "0");
}

#[tokio::test]
async fn frames_that_a_board_asks_about_are_kept_where_that_is_wished() {
    for (keep, kept) in [(Keep::None, 0), (Keep::Asked, 5)] {
        let mut bench = Bench::new(4);
        let board = FakeBoard {
            ask_every: 4,
            ..FakeBoard::default()
        };
        let instrument = bench.instrument(board.start()).await;
        let mut instrument = instrument.keeping(keep);
        let seen = &mut |_: &_| ();
        instrument
            .acquire(HOW, &mut bench.stop, seen)
            .await
            .unwrap();
        drop(instrument);
        let folder = bench.close();
        let reader = Reader::open(&folder.path().join("j")).unwrap();
        let found = audit(&reader, None).unwrap();
        assert_eq!((found.frames, found.broken), (kept, None));
        for stored in reader.records().unwrap() {
            let stored = stored.unwrap();
            let record: Record = serde_json::from_slice(&stored.record).unwrap();
            let is_kept = keep == Keep::Asked && record.origin == Origin::Host;
            assert_eq!(record.kept_frame.is_some(), is_kept);
            if let Some(kept) = &record.kept_frame {
                let frame = reader.frame(stored.index, kept).unwrap().unwrap();
                let score = |class: usize| frame[class].cast_signed();
                assert_eq!((frame.len(), score(1), score(2)), (FRAME_LEN, -128, 100));
            }
            let provenance = reader.provenance(&record.provenance).unwrap().unwrap();
            let dims: Vec<_> = provenance
                .inputs
                .iter()
                .map(|input| &input.dims[..])
                .collect();
            let expected: &[&[usize]] = &[&[1, FRAME_LEN]];
            assert_eq!(dims, if keep == Keep::Asked { expected } else { &[] });
        }
    }
}

#[tokio::test]
async fn a_result_that_another_session_answered_names_what_did() {
    let answerer = |digest: [u8; 32], executor| Answerer {
        plan: digest[..8].try_into().unwrap(),
        executor,
    };
    for (answerer, executor, model) in [
        (
            answerer(heavy().digest(), ExecutorKind::Cpu),
            "cpu (an earlier session)",
            Some("heavy"),
        ),
        (
            answerer([0xab; 32], ExecutorKind::Gpu),
            "gpu (an earlier session, plan abababababababab…)",
            None,
        ),
    ] {
        let mut bench = Bench::new(4);
        let board = FakeBoard {
            answerer: Some(answerer),
            ..FakeBoard::default()
        };
        let mut instrument = bench.instrument(board.start()).await;
        let seen = &mut |_: &_| ();
        instrument
            .acquire(HOW, &mut bench.stop, seen)
            .await
            .unwrap();
        let line = &bench.lines()[0];
        assert_eq!(
            (&line["origin"], &line["executor"]),
            (&"host".into(), &executor.into())
        );
        assert_eq!(line["heavier"]["model"].as_str(), model);
        let plan = line["heavier"]["plan"].as_str().map(str::to_owned);
        assert_eq!(plan, model.map(|_| Hash(heavy().digest()).to_string()));
        let class = if model.is_some() { "red" } else { "0" };
        assert_eq!(line["answer"]["class"]["class"], class);
    }
}
