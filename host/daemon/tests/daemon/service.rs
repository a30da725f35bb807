//! The service with real serial devices: the simulated board as a process of its own.

use crate::support::{FRAME_LEN, heavy, light, records};
use microtome_board::{LaunchError, LaunchOptions, Running};
use microtome_daemon::config::{AcquisitionConfig, Config, DeviceConfig, RetentionConfig};
use microtome_daemon::{DeviceLog, FramesConfig, GpuPolicy, RunInput, Session, stop};
use microtome_link::message::HELD_MAX;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tempfile::TempDir;

/// The simulated board, built once.
fn image() -> &'static Path {
    static IMAGE: OnceLock<PathBuf> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let board = microtome_board::find("sim").expect("there is a simulated board");
        microtome_board::image::build(board, &mut |line| eprintln!("{line}"))
            .unwrap_or_else(|error| panic!("{error}"))
    })
}

/// Half of its frames leave its model unsure.
fn board() -> (Running, PathBuf) {
    let frames = [100, 20].map(|score| {
        let mut frame = vec![i8::MIN.cast_unsigned(); FRAME_LEN];
        frame[1] = score;
        frame
    });
    let replay = microtome_board::replay::encode(&frames).expect("two frames");
    let plan = light();
    let options = LaunchOptions {
        plan: Some(plan.bytes()),
        replay: Some(&replay),
        pins: None,
        flash: None,
    };
    let board = microtome_board::find("sim").expect("there is a simulated board");
    let running =
        microtome_board::launch(board, image(), &options).unwrap_or_else(|error| panic!("{error}"));
    let path = running.serial().to_owned();
    (running, path)
}

fn config(folder: &TempDir, path: PathBuf, acquisition: AcquisitionConfig) -> Config {
    let plans = folder.path().join("plans");
    std::fs::create_dir(&plans).unwrap();
    std::fs::write(plans.join("light.mtp"), light().bytes()).unwrap();
    std::fs::write(plans.join("heavy.mtp"), heavy().bytes()).unwrap();
    let baud = 921_600;
    let device = DeviceConfig {
        name: "scope".to_owned(),
        path: Some(path),
        usb: None,
        serial_number: None,
        baud,
        elf: None,
        acquisition,
        frames: FramesConfig::default(),
        calibration: None,
    };
    Config {
        journal: folder.path().join("results.journal"),
        plans: vec![plans],
        gpu: GpuPolicy::Off,
        queue: 4,
        retention: RetentionConfig::default(),
        api: None,
        devices: vec![device],
        fleet: None,
        mqtt: None,
    }
}

fn lines(config: &Config) -> usize {
    match config.journal.exists() {
        true => records(&config.journal).len(),
        false => 0,
    }
}

/// What this process logs from now on.
fn capture_log() -> Arc<Mutex<Vec<u8>>> {
    struct Sink(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let text = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&text);
    let subscriber = tracing_subscriber::fmt().with_ansi(false);
    subscriber
        .with_writer(move || Sink(Arc::clone(&sink)))
        .init();
    text
}

#[tokio::test]
async fn every_emulated_board_runs_a_plan_and_logs() {
    let text = capture_log();
    let plan = light();
    let values: Vec<u8> = (0..FRAME_LEN).map(|value| value as u8).collect();
    for board in microtome_board::boards()
        .iter()
        .filter(|board| board.is_emulated())
    {
        let image = microtome_board::image::build(board, &mut |line| eprintln!("{line}"));
        let image = image.unwrap_or_else(|error| panic!("{error}"));
        let options = LaunchOptions {
            plan: Some(plan.bytes()),
            replay: None,
            pins: None,
            flash: None,
        };
        let mut running = match microtome_board::launch(board, &image, &options) {
            Err(LaunchError::NoQemu { .. }) => continue,
            launched => launched.unwrap_or_else(|error| panic!("{error}")),
        };
        let log = match &board.firmware.target {
            Some(_) => DeviceLog::with_elf(&board.name, &image).unwrap(),
            None => DeviceLog::new(&board.name),
        };
        let session = Session::open(running.serial(), 921_600, log).await;
        let mut session = session.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(session.identity().board.as_str(), board.name);
        let firmware = session.identity().firmware.as_str();
        assert!(
            firmware.starts_with(env!("CARGO_PKG_VERSION")),
            "{firmware}"
        );
        assert_eq!(session.identity().plan_fault, None, "{}", board.name);
        assert_eq!(session.identity().plan, plan.digest());
        let output = session.run(RunInput::Values(&values), true).await.unwrap();
        assert_eq!(output.values, values, "{}", board.name);
        running.check().unwrap();
        // The firmware logs each session, as text or as defmt.
        let text = String::from_utf8(std::mem::take(&mut *text.lock().unwrap())).unwrap();
        let is_shown = |line: &str| {
            line.contains("INFO board: ") && line.contains("session") && line.contains(&board.name)
        };
        assert!(text.lines().any(is_shown), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_of_a_simulated_board_is_recorded_once() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, path) = board();
    let acquisition = AcquisitionConfig {
        frames: 50,
        deadline_ms: 20_000,
        ..Default::default()
    };
    let config = config(&folder, path, acquisition);
    let (_stopper, stop) = stop();
    let summary = microtome_daemon::run(&config, stop).await.unwrap();
    assert_eq!(
        (summary.frames, summary.on_board, summary.offloaded),
        (50, 25, 25)
    );
    assert_eq!((summary.lost, lines(&config)), (0, 50));
    let records = records(&config.journal);
    let is_by_cpu = |record: &Value| record["executor"] == "cpu (the GPU is switched off)";
    assert_eq!(
        records.iter().filter(|record| is_by_cpu(record)).count(),
        25
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_outlives_a_board_that_dies_and_keeps_its_results() {
    let folder = tempfile::tempdir().unwrap();
    let (running, path) = board();
    let acquisition = AcquisitionConfig {
        frames: 0,
        period_us: 2000,
        deadline_ms: 20_000,
        ..Default::default()
    };
    let config = config(&folder, path, acquisition);
    let (stopper, stop) = stop();
    let daemon = tokio::spawn({
        let config = config.clone();
        async move { microtome_daemon::run(&config, stop).await }
    });
    while lines(&config) < 10 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(running);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(
        !daemon.is_finished(),
        "it waits for the device to come back"
    );
    stopper.stop();
    let summary = daemon.await.unwrap().unwrap();
    assert!(summary.frames >= 10, "{summary:?}");
    // What came just before it died was recorded without being counted.
    let extra = lines(&config) as u64 - summary.frames;
    assert!(extra <= HELD_MAX as u64, "{extra}");
}

#[tokio::test]
async fn a_device_that_is_not_there_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(
        &folder,
        "/dev/no-such-tty".into(),
        AcquisitionConfig::default(),
    );
    let (stopper, stop) = stop();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        stopper.stop();
    });
    let summary = microtome_daemon::run(&config, stop).await.unwrap();
    assert_eq!(summary.frames, 0);
}

#[tokio::test]
async fn a_plan_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(
        &folder,
        "/dev/no-such-tty".into(),
        AcquisitionConfig::default(),
    );
    std::fs::write(folder.path().join("plans/zzz.mtp"), b"not a plan").unwrap();
    let (_stopper, stop) = stop();
    let error = microtome_daemon::run(&config, stop)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("zzz.mtp: this is not a plan"), "{error}");
}
